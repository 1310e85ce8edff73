"""What somebody may change past the product, each with what ``verifyaudit`` is to say of it."""

from collections.abc import Callable
from datetime import timedelta

from flags.models import ExclusionGroup, Flag, FlagConfiguration, KeyList, Segment
from flags.models.segment import pack
from portal.access.models import (
    ActionRule,
    ApiKey,
    ApproverConfirmation,
    CustomRole,
    Environment,
    Grant,
    Group,
    Project,
    User,
)
from portal.approvals.models import Policy
from portal.lib import clock
from tests.support import append_only


def turn_on() -> str:
    one = FlagConfiguration.objects.select_related("flag", "environment").latest("pk")
    enabled = not one.enabled
    FlagConfiguration.objects.filter(pk=one.pk).update(enabled=enabled)
    return f"configuration {one.flag.key} in shop/{one.environment.key}: it is not what row"


def change_a_value() -> str:
    Flag.objects.filter(key="new-checkout").update(name="Another")
    return "definition new-checkout in shop: it is not what row"


def archive() -> str:
    flag = Flag.objects.get(key="new-checkout")
    Flag.objects.filter(pk=flag.pk).update(archived_at=None if flag.archived_at else clock.now())
    return "archiving new-checkout in shop: it is not what row"


def widen_a_segment() -> str:
    Segment.objects.filter(key="inner").update(when={"attribute": "a", "operator": "exists"})
    return "segment inner in shop: it is not what row"


def put_someone_in_a_list() -> str:
    used = Segment.objects.get(key="beta").included
    with append_only.lifted():
        KeyList.objects.filter(pk=used.pk).update(content=pack(["mallory"])[1])
    return "segment beta in shop: it is not what row"


def widen_a_group() -> str:
    ExclusionGroup.objects.filter(key="line").update(holdout=0, name="Another line")
    return "exclusion group line in shop: it is not what row"


def make_a_flag_up() -> str:
    flag = Flag.objects.get(key="new-checkout")
    flag.pk, flag.key = None, "made-up"
    flag.save()
    return "definition made-up in shop: no row says where it comes from"


def lower_a_policy() -> str:
    Policy.objects.update(required_approvals=1)
    return "policy staging in shop/staging: it is not what row"


def take_a_policy_away() -> str:
    Policy.objects.all().delete()
    return "that it is there, and it is gone"


def give_a_role() -> str:
    mallory = User.objects.get(username="bob")
    project = Project.objects.get(key="shop")
    Grant.objects.create(project=project, role="devops_lead", user=mallory, given_at=clock.now())
    return "role devops_lead of bob in shop: no row says where it comes from"


def permit_more() -> str:
    CustomRole.objects.update(permissions=["change_request.approve"])
    return "role crew in shop: it is not what row"


def open_a_reservation() -> str:
    ActionRule.objects.update(roles=["viewer"])
    return "reservation release.deploy in shop/production: it is not what row"


def join_a_group() -> str:
    Group.objects.get(key="night").members.add(User.objects.get(username="bob"))
    return "member bob of group night in shop: no row says where it comes from"


def bring_a_key_back() -> str:
    ApiKey.objects.exclude(revoked_at=None).update(revoked_at=None)
    return "no row says where it comes from"


def let_a_key_post_evidence() -> str:
    key = ApiKey.objects.get(kind="admin", revoked_at=None)
    ApiKey.objects.filter(pk=key.pk).update(evidence=["security_scan"])
    return f"API key {key.selector} in shop/production: it is not what row"


def of_a_key(**fields: object) -> str:
    key = ApiKey.objects.get(kind="server", revoked_at=None)
    ApiKey.objects.filter(pk=key.pk).update(**fields)
    return f"API key {key.selector} in shop/production: it is not what row"


def confirm_evidence() -> str:
    key = ApiKey.objects.get(kind="admin", revoked_at=None)
    erin = User.objects.get(username="erin")
    ApiKey.objects.filter(pk=key.pk).update(evidence_confirmed_by=erin)
    return f"API key {key.selector} in shop/production: it is not what row"


def of_production(**fields: object) -> str:
    Environment.objects.filter(key="production").update(**fields)
    return "environment production in shop: it is not what row"


def forget_since_when_staging_is_governed() -> str:
    Environment.objects.filter(key="staging").update(governed_since=None)
    return "environment staging in shop: it is not what row"


def rename_the_project() -> str:
    Project.objects.update(name="Another")
    return "project shop: it is not what row"


def make_a_group_up() -> str:
    Group.objects.create(project=Project.objects.get(key="shop"), key="evil", name="Evil")
    return "group evil in shop: no row says where it comes from"


def confirm_an_approver() -> str:
    project, bob = Project.objects.get(key="shop"), User.objects.get(username="bob")
    ApproverConfirmation.objects.create(
        project=project,
        person=bob,
        confirmed_by=User.objects.get(username="erin"),
        at=clock.now(),
    )
    return "confirmation by erin of bob in shop: no row says where it comes from"


def let_somebody_in_again() -> str:
    User.objects.filter(username="bob").update(is_active=False)
    return "account bob: it is not what row"


def become_administrator() -> str:
    User.objects.filter(username="bob").update(is_superuser=True)
    return "account bob: it is not what row"


CHANGED_PAST_THE_PRODUCT: list[Callable[[], str]] = [
    turn_on,
    change_a_value,
    archive,
    widen_a_segment,
    put_someone_in_a_list,
    widen_a_group,
    make_a_flag_up,
    lower_a_policy,
    take_a_policy_away,
    give_a_role,
    permit_more,
    open_a_reservation,
    join_a_group,
    bring_a_key_back,
    let_a_key_post_evidence,
    lambda: of_a_key(verifier="0" * 64),
    lambda: of_a_key(expires_at=clock.now() + timedelta(days=9)),
    lambda: of_a_key(allowed_origins=["*"]),
    lambda: of_a_key(rate_limit=None, burst_limit=None),
    lambda: of_a_key(creator=User.objects.get(username="bob")),
    lambda: of_a_key(by_operator=True),
    confirm_evidence,
    lambda: of_production(kind="development"),
    lambda: of_production(name="Playground"),
    lambda: of_production(governed_since=clock.now()),
    forget_since_when_staging_is_governed,
    rename_the_project,
    make_a_group_up,
    confirm_an_approver,
    let_somebody_in_again,
    become_administrator,
]
