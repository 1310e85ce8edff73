"""The one way out of the audit trail: rows up to the floor, which only a purge's event can raise."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

REFUSAL = "the audit trail is append-only"
_FLOOR = "(SELECT sequence FROM audit_purgefloor WHERE id = 1)"
_NO_EVENT = """NOT EXISTS (
    SELECT 1 FROM audit_auditevent WHERE sequence = NEW.event_sequence AND event = 'audit.purged'
    AND {} = NEW.sequence)"""

SQLITE = [
    "DROP TRIGGER audit_no_delete",
    f"""CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit_auditevent
    WHEN OLD.sequence > COALESCE({_FLOOR}, 0)
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
    f"""CREATE TRIGGER audit_none_below_floor BEFORE INSERT ON audit_auditevent
    WHEN NEW.sequence <= COALESCE({_FLOOR}, 0)
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
    f"""CREATE TRIGGER audit_floor_stays BEFORE DELETE ON audit_purgefloor
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
] + [
    f"""CREATE TRIGGER audit_floor_{verb.lower()} BEFORE {verb} ON audit_purgefloor
    WHEN NEW.sequence <= COALESCE({_FLOOR}, 0)
    OR {_NO_EVENT.format("json_extract(after, '$.last_sequence')")}
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"""
    for verb in ("INSERT", "UPDATE")
]
POSTGRESQL = [
    f"""CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_auditevent' THEN
            IF OLD.sequence <= COALESCE({_FLOOR}, 0) THEN RETURN OLD; END IF;
        END IF;
        RAISE EXCEPTION '{REFUSAL}';
    END $$""",
    f"""CREATE FUNCTION audit_refuse_below_floor() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.sequence <= COALESCE({_FLOOR}, 0) THEN RAISE EXCEPTION '{REFUSAL}'; END IF;
        RETURN NEW;
    END $$""",
    """CREATE TRIGGER audit_none_below_floor BEFORE INSERT ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_below_floor()""",
    f"""CREATE FUNCTION audit_refuse_floor() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.sequence <= COALESCE({_FLOOR}, 0)
        OR {_NO_EVENT.format("(after::json->>'last_sequence')::bigint")}
        THEN RAISE EXCEPTION '{REFUSAL}'; END IF;
        RETURN NEW;
    END $$""",
    """CREATE TRIGGER audit_floor_rises BEFORE INSERT OR UPDATE ON audit_purgefloor
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_floor()""",
    """CREATE TRIGGER audit_floor_stays BEFORE DELETE ON audit_purgefloor
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_no_truncated_floor BEFORE TRUNCATE ON audit_purgefloor
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
]


def add_triggers(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    statements = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
    for statement in statements[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]
    operations = [
        migrations.CreateModel(
            name="PurgeFloor",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("sequence", models.PositiveBigIntegerField()),
                ("event_sequence", models.PositiveBigIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="audit_one_purge_floor"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sequence__lt", models.F("event_sequence"))),
                        name="audit_purge_below_its_event",
                    ),
                ],
            },
        ),
        migrations.RunPython(add_triggers, elidable=False),
    ]
