# ruff: noqa: S608 - our own words
"""Who asked for a change and who approved it, and what a subject is part of, on each row."""

from importlib import import_module
from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

history = import_module("portal.audit.migrations.0004_history")

EVENT = "auditevent"
FIELDS: list[tuple[str, "models.Field[Any, Any]", str]] = [
    ("requested_by", models.TextField(blank=True), "text NOT NULL"),
    ("approved_by", models.TextField(blank=True), "text NOT NULL"),
    ("change_request", models.PositiveBigIntegerField(null=True), "bigint"),
    ("part_of_kind", models.CharField(blank=True, max_length=20), "varchar(20) NOT NULL"),
    ("part_of", models.CharField(blank=True, max_length=200), "varchar(200) NOT NULL"),
]
# Not as Django adds them, which on SQLite makes the table anew, without its triggers. The checks
# are those that Django gives to a number.
COLUMNS = [
    f"ALTER TABLE audit_auditevent ADD COLUMN {name} {kind}"
    + (" DEFAULT ''" if "NOT NULL" in kind else f" CHECK ({name} >= 0)")
    for name, _field, kind in FIELDS
]
WORDS = f"{history.WORDS}, requested_by, approved_by, part_of"
OF_NEW, OF_OLD = (
    ", ".join(f"{row}.{name}" for name in WORDS.split(", ")) for row in ("NEW", "OLD")
)
SQLITE = [
    "DROP TRIGGER audit_search_add",
    "DROP TRIGGER audit_search_purge",
    "DROP TABLE audit_search",
    f"""CREATE VIRTUAL TABLE audit_search USING fts5({WORDS}, content='audit_auditevent',
    content_rowid='sequence', detail=column, columnsize=0,
    tokenize='unicode61 remove_diacritics 0')""",
    f"""CREATE TRIGGER audit_search_add AFTER INSERT ON audit_auditevent BEGIN
    INSERT INTO audit_search (rowid, {WORDS}) VALUES (NEW.sequence, {OF_NEW}); END""",
    f"""CREATE TRIGGER audit_search_purge AFTER DELETE ON audit_auditevent BEGIN
    INSERT INTO audit_search (audit_search, rowid, {WORDS})
    VALUES ('delete', OLD.sequence, {OF_OLD}); END""",
    "INSERT INTO audit_search (audit_search) VALUES ('rebuild')",
]
POSTGRESQL = [
    "DROP INDEX audit_search",
    """CREATE INDEX audit_search ON audit_auditevent USING gin (to_tsvector('simple',
    regexp_replace(subject || ' ' || actor || ' ' || left(reason, 20000) || ' ' || event || ' '
    || requested_by || ' ' || approved_by || ' ' || part_of, '[^[:alnum:]]+', ' ', 'g')))""",
]


def add_columns(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    words = {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]
    for statement in [*COLUMNS, *words]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_history")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_columns, elidable=False)],
            state_operations=[
                migrations.AddField(EVENT, name, field) for name, field, _kind in FIELDS
            ],
        ),
        migrations.AddIndex(
            EVENT,
            models.Index(fields=["part_of", "sequence", "project"], name="audit_by_whole"),
        ),
    ]
