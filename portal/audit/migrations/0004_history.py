# ruff: noqa: S608 - our own words
"""What the history reads: an index for each filter, one of words, and the names to choose from."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NAMES = """
    SELECT {project}, 'environment', {environment} WHERE {environment} <> ''
    UNION ALL SELECT {project}, 'actor', {actor}
    UNION ALL SELECT {project}, 'event', {event}
"""
OF_NEW_ROW = {name: f"NEW.{name}" for name in ("project", "environment", "actor", "event")}
KEEP_NAMES = f"""INSERT INTO audit_seenname (project, field, name)
    SELECT * FROM ({NAMES.format(**OF_NEW_ROW)}) AS seen WHERE true ON CONFLICT DO NOTHING"""
BACKFILL_NAMES = [
    f"""INSERT INTO audit_seenname (project, field, name)
    SELECT DISTINCT project, '{field}', {field} FROM audit_auditevent
    WHERE {field} <> '' ON CONFLICT DO NOTHING"""
    for field in ("environment", "actor", "event")
]

WORDS = "project, environment, event, actor, subject, reason"
OLD_WORDS = ", ".join(f"OLD.{name}" for name in WORDS.split(", "))
NEW_WORDS = ", ".join(f"NEW.{name}" for name in WORDS.split(", "))
SQLITE = [
    # Holds where each word stands and not the texts, which are in the trail itself.
    f"""CREATE VIRTUAL TABLE audit_search USING fts5({WORDS}, content='audit_auditevent',
    content_rowid='sequence', detail=column, columnsize=0,
    tokenize='unicode61 remove_diacritics 0')""",
    f"""CREATE TRIGGER audit_search_add AFTER INSERT ON audit_auditevent BEGIN
    INSERT INTO audit_search (rowid, {WORDS}) VALUES (NEW.sequence, {NEW_WORDS}); END""",
    f"""CREATE TRIGGER audit_search_purge AFTER DELETE ON audit_auditevent BEGIN
    INSERT INTO audit_search (audit_search, rowid, {WORDS})
    VALUES ('delete', OLD.sequence, {OLD_WORDS}); END""",
    f"""CREATE TRIGGER audit_names_add AFTER INSERT ON audit_auditevent
    BEGIN {KEEP_NAMES}; END""",
    "INSERT INTO audit_search (audit_search) VALUES ('rebuild')",
]
POSTGRESQL = [
    # Whatever is no letter or digit parts words, so that “INC-4711” is two words here as well.
    """CREATE INDEX audit_search ON audit_auditevent USING gin (to_tsvector('simple',
    regexp_replace(subject || ' ' || actor || ' ' || left(reason, 20000) || ' ' || event,
    '[^[:alnum:]]+', ' ', 'g')))""",
    f"""CREATE FUNCTION audit_keep_names() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN {KEEP_NAMES}; RETURN NULL; END $$""",
    """CREATE TRIGGER audit_names_add AFTER INSERT ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_keep_names()""",
]


def add_search(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    statements = {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]
    for statement in [*statements, *BACKFILL_NAMES]:
        schema_editor.execute(statement, params=None)


EVENT = "auditevent"
INDEXES = {
    "audit_by_project": ["project", "sequence", "environment", "event", "actor", "subject"],
    "audit_by_place": ["project", "environment", "sequence", "event", "actor", "subject"],
    "audit_by_environment": ["environment", "sequence", "project", "event", "actor", "subject"],
    "audit_by_subject": ["subject", "sequence", "project", "environment", "event", "actor"],
    "audit_by_actor": ["actor", "sequence", "project", "environment", "event", "subject"],
    "audit_by_event": ["event", "sequence", "project", "environment", "actor", "subject"],
    "audit_by_time": ["at", "sequence"],
    "audit_by_request": ["request_id", "sequence"],
}


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_anchors_and_retention")]
    operations = [
        migrations.RemoveIndex(EVENT, "audit_by_subject"),
        migrations.RemoveIndex(EVENT, "audit_by_place"),
        *[
            migrations.AddIndex(EVENT, models.Index(fields=fields, name=name))
            for name, fields in INDEXES.items()
        ],
        migrations.CreateModel(
            "SeenName",
            [
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, auto_created=True, verbose_name="ID"
                    ),
                ),
                ("project", models.CharField(blank=True, max_length=50)),
                ("field", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=200)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "field", "name"), name="audit_name_once"
                    )
                ]
            },
        ),
        migrations.RunPython(add_search, elidable=False),
    ]
