import django.contrib.auth.models
import django.contrib.auth.validators
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import portal.access.models.environment
from django.conf import settings
from django.db import migrations, models

from portal.lib.new_tables import CreateTables


class Migration(migrations.Migration):
    replaces = [
        ("access", "0001_initial"),
        ("access", "0002_roles"),
        ("access", "0003_grants"),
        ("access", "0004_no_memberships"),
        ("access", "0005_invitations"),
        ("access", "0006_sign_in_counters"),
        ("access", "0007_management_api"),
        ("access", "0008_usage"),
        ("access", "0009_ofrep"),
        ("access", "0010_apiwrites"),
        ("access", "0011_account_names"),
        ("access", "0012_people"),
        ("access", "0013_history_nonces"),
    ]

    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        CreateTables(
            operations=[
                migrations.CreateModel(
                    name="Project",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "key",
                            models.CharField(
                                max_length=50,
                                unique=True,
                                validators=[
                                    django.core.validators.RegexValidator(
                                        "^[a-z0-9][a-z0-9-]{0,49}\\Z",
                                        "Use 1 to 50 lower-case letters, digits and hyphens, starting with a letter or digit.",
                                    )
                                ],
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        ("created_at", models.DateTimeField()),
                    ],
                    options={
                        "ordering": ["key"],
                    },
                ),
                migrations.CreateModel(
                    name="User",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("password", models.CharField(max_length=128, verbose_name="password")),
                        (
                            "last_login",
                            models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                        ),
                        (
                            "is_superuser",
                            models.BooleanField(
                                default=False,
                                help_text="Designates that this user has all permissions without explicitly assigning them.",
                                verbose_name="superuser status",
                            ),
                        ),
                        (
                            "username",
                            models.CharField(
                                error_messages={
                                    "unique": "A user with that username already exists."
                                },
                                help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                                max_length=150,
                                unique=True,
                                validators=[
                                    django.contrib.auth.validators.UnicodeUsernameValidator()
                                ],
                                verbose_name="username",
                            ),
                        ),
                        (
                            "first_name",
                            models.CharField(blank=True, max_length=150, verbose_name="first name"),
                        ),
                        (
                            "last_name",
                            models.CharField(blank=True, max_length=150, verbose_name="last name"),
                        ),
                        (
                            "email",
                            models.EmailField(
                                blank=True, max_length=254, verbose_name="email address"
                            ),
                        ),
                        (
                            "is_staff",
                            models.BooleanField(
                                default=False,
                                help_text="Designates whether the user can log into this admin site.",
                                verbose_name="staff status",
                            ),
                        ),
                        (
                            "is_active",
                            models.BooleanField(
                                default=True,
                                help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                                verbose_name="active",
                            ),
                        ),
                        (
                            "date_joined",
                            models.DateTimeField(
                                default=django.utils.timezone.now, verbose_name="date joined"
                            ),
                        ),
                        (
                            "groups",
                            models.ManyToManyField(
                                blank=True,
                                help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                                related_name="user_set",
                                related_query_name="user",
                                to="auth.group",
                                verbose_name="groups",
                            ),
                        ),
                        (
                            "user_permissions",
                            models.ManyToManyField(
                                blank=True,
                                help_text="Specific permissions for this user.",
                                related_name="user_set",
                                related_query_name="user",
                                to="auth.permission",
                                verbose_name="user permissions",
                            ),
                        ),
                        ("wants_digests", models.BooleanField(default=True)),
                        (
                            "name_key",
                            models.CharField(
                                blank=True, editable=False, max_length=600, null=True, unique=True
                            ),
                        ),
                        (
                            "name_look",
                            models.CharField(
                                blank=True, editable=False, max_length=600, null=True, unique=True
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "user",
                        "verbose_name_plural": "users",
                        "abstract": False,
                    },
                    managers=[
                        ("objects", django.contrib.auth.models.UserManager()),
                    ],
                ),
                migrations.CreateModel(
                    name="Environment",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "key",
                            models.CharField(
                                max_length=50,
                                validators=[
                                    django.core.validators.RegexValidator(
                                        "^[a-z0-9][a-z0-9-]{0,49}\\Z",
                                        "Use 1 to 50 lower-case letters, digits and hyphens, starting with a letter or digit.",
                                    )
                                ],
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("development", "development"),
                                    ("staging", "staging"),
                                    ("production", "production"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("position", models.PositiveSmallIntegerField(default=0)),
                        ("version", models.PositiveBigIntegerField(default=0)),
                        (
                            "epoch",
                            models.CharField(
                                default=portal.access.models.environment.new_epoch, max_length=40
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="environments",
                                to="access.project",
                            ),
                        ),
                        ("governed_since", models.DateTimeField(blank=True, null=True)),
                        ("nonce", models.CharField(blank=True, default="", max_length=16)),
                    ],
                    options={
                        "ordering": ["position", "id"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "key"), name="environment_key_once"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("kind__in", ["development", "staging", "production"])
                                ),
                                name="environment_kind_known",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ApiKey",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("server", "server"),
                                    ("client", "client (public)"),
                                    ("admin", "admin"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        ("selector", models.CharField(max_length=16, unique=True)),
                        ("verifier", models.CharField(max_length=64)),
                        ("allowed_origins", models.JSONField(blank=True, default=list)),
                        ("created_by", models.CharField(max_length=150)),
                        ("created_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField(blank=True, null=True)),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "environment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="api_keys",
                                to="access.environment",
                            ),
                        ),
                        (
                            "creator",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="created_keys",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("last_used_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "burst_limit",
                            models.PositiveIntegerField(
                                blank=True,
                                null=True,
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(1000000),
                                ],
                            ),
                        ),
                        (
                            "rate_limit",
                            models.PositiveIntegerField(
                                blank=True,
                                null=True,
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(1000000),
                                ],
                            ),
                        ),
                        ("by_operator", models.BooleanField(default=False)),
                        ("rights", models.JSONField(blank=True, default=list)),
                        ("evidence", models.JSONField(blank=True, default=list)),
                        (
                            "evidence_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "evidence_confirmed_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-created_at", "-id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("kind__in", ["server", "client", "admin"])),
                                name="key_kind_known",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("kind", "admin"), ("rights", []), _connector="OR"
                                ),
                                name="key_rights_of_admins",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("kind", "admin"), ("evidence", []), _connector="OR"
                                ),
                                name="key_evidence_of_admins",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="EnvironmentChange",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("version", models.PositiveBigIntegerField()),
                        ("kind", models.CharField(max_length=10)),
                        ("key", models.CharField(max_length=200)),
                        ("changed_at", models.DateTimeField()),
                        (
                            "environment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="changes",
                                to="access.environment",
                            ),
                        ),
                        ("nonce", models.CharField(blank=True, default="", max_length=16)),
                    ],
                    options={
                        "ordering": ["id"],
                        "indexes": [
                            models.Index(fields=["changed_at"], name="environment_change_age")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("environment", "version", "kind", "key"),
                                name="environment_change_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ActionRule",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("permission", models.CharField(max_length=40)),
                        ("roles", models.JSONField(blank=True, default=list)),
                        (
                            "environment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="rules",
                                to="access.environment",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["permission"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("environment", "permission"), name="one_rule_per_permission"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    (
                                        "permission__in",
                                        [
                                            "change_request.apply",
                                            "change_request.approve",
                                            "change_request.create",
                                            "flag.archive",
                                            "flag.edit",
                                            "flag.toggle",
                                            "freeze.override",
                                            "release.approve",
                                            "release.create",
                                            "release.deploy",
                                            "release.rollback",
                                            "segment.edit",
                                        ],
                                    )
                                ),
                                name="rule_permission_reservable",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="CustomRole",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "key",
                            models.CharField(
                                max_length=50,
                                validators=[
                                    django.core.validators.RegexValidator(
                                        "^[a-z][a-z0-9_-]{0,49}\\Z",
                                        "Use 1 to 50 lower-case letters, digits, hyphens and underscores, starting with a letter.",
                                    )
                                ],
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        ("permissions", models.JSONField(blank=True, default=list)),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="custom_roles",
                                to="access.project",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["key"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "key"), name="custom_role_key_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Group",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "key",
                            models.CharField(
                                max_length=50,
                                validators=[
                                    django.core.validators.RegexValidator(
                                        "^[a-z][a-z0-9_-]{0,49}\\Z",
                                        "Use 1 to 50 lower-case letters, digits, hyphens and underscores, starting with a letter.",
                                    )
                                ],
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        (
                            "members",
                            models.ManyToManyField(
                                blank=True,
                                related_name="project_groups",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="groups",
                                to="access.project",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["key"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("project", "key"), name="group_key_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Grant",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("role", models.CharField(max_length=50)),
                        ("given_at", models.DateTimeField()),
                        (
                            "environment",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="grants",
                                to="access.environment",
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="grants",
                                to="access.project",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="grants",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "group",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="grants",
                                to="access.group",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("group__isnull", True), ("user__isnull", False)),
                                    models.Q(("group__isnull", False), ("user__isnull", True)),
                                    _connector="OR",
                                ),
                                name="grant_to_one",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("environment__isnull", True), ("user__isnull", False)
                                ),
                                fields=("project", "user", "role"),
                                name="grant_once_user_everywhere",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("environment__isnull", False), ("user__isnull", False)
                                ),
                                fields=("project", "user", "role", "environment"),
                                name="grant_once_user_here",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("environment__isnull", True), ("group__isnull", False)
                                ),
                                fields=("project", "group", "role"),
                                name="grant_once_group_everywhere",
                            ),
                            models.UniqueConstraint(
                                condition=models.Q(
                                    ("environment__isnull", False), ("group__isnull", False)
                                ),
                                fields=("project", "group", "role", "environment"),
                                name="grant_once_group_here",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Invitation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("role", models.CharField(max_length=50)),
                        ("note", models.CharField(blank=True, max_length=200)),
                        ("selector", models.CharField(max_length=16, unique=True)),
                        ("verifier", models.CharField(max_length=64)),
                        ("created_by", models.CharField(max_length=150)),
                        ("created_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("accepted_at", models.DateTimeField(blank=True, null=True)),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "accepted_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="accepted_invitations",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "environment",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="invitations",
                                to="access.environment",
                            ),
                        ),
                        (
                            "inviter",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="invitations",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="invitations",
                                to="access.project",
                            ),
                        ),
                        (
                            "made_with",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="access.apikey",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-created_at", "-id"],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("accepted_at__isnull", True),
                                    ("revoked_at__isnull", True),
                                    _connector="OR",
                                ),
                                name="invitation_accepted_or_revoked",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="SignInCounter",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("account", models.CharField(blank=True, max_length=64)),
                        ("address", models.CharField(blank=True, max_length=45)),
                        ("failures", models.PositiveIntegerField(default=0)),
                        ("window_started_at", models.DateTimeField()),
                        ("locked_until", models.DateTimeField(null=True)),
                        ("trusted_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["window_started_at"], name="sign_in_counter_age")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("account", "address"), name="one_sign_in_counter"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="KeptAnswer",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("name", models.CharField(max_length=200)),
                        ("digest", models.CharField(max_length=64)),
                        ("status", models.PositiveSmallIntegerField(default=0)),
                        ("headers", models.JSONField(default=dict)),
                        ("body", models.TextField(blank=True)),
                        ("kept_at", models.DateTimeField()),
                        (
                            "key",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="kept_answers",
                                to="access.apikey",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [models.Index(fields=["kept_at"], name="kept_answer_age")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("key", "name"), name="answer_once_per_name"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ApproverConfirmation",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        (
                            "confirmed_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="access.project",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["at", "id"],
                        "indexes": [
                            models.Index(fields=["project", "at"], name="confirmation_by_project")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Sponsorship",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("account", "created the account"),
                                    ("invitation", "invited"),
                                    ("activation", "reactivated the account"),
                                    ("role", "gave a role"),
                                    ("group", "added to a group"),
                                    ("password", "reset the password"),
                                    ("second_factor", "reset the second factor"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("name", models.CharField(blank=True, max_length=50)),
                        ("at", models.DateTimeField()),
                        (
                            "environment",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="access.environment",
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="sponsorships",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "project",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="access.project",
                            ),
                        ),
                        (
                            "sponsor",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["at", "id"],
                        "indexes": [
                            models.Index(fields=["person", "at"], name="sponsorship_by_person")
                        ],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(
                                    (
                                        "kind__in",
                                        [
                                            "account",
                                            "invitation",
                                            "activation",
                                            "role",
                                            "group",
                                            "password",
                                            "second_factor",
                                        ],
                                    )
                                ),
                                name="sponsorship_kind_known",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("sponsor", models.F("person")), _negated=True),
                                name="sponsorship_of_another",
                            ),
                        ],
                    },
                ),
            ],
        ),
    ]
