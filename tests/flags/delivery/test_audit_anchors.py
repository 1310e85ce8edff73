"""What evaluators were given says where the audit trail stood, and who cuts it is found by that."""

from pathlib import Path

import pytest
import redis
from django.core.management import call_command
from pytest_django import Settings

from portal.access.models import User
from portal.audit.models import AuditEvent, ChainHead
from tests.support import append_only
from tests.support.desk import Desk
from tests.support.redis_server import RedisServer
from tests.support.shelf import Shelf

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _no_anchor_yet(settings: Settings, tmp_path: Path) -> None:
    """As in the seconds before the next anchor."""
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "anchors.jsonl")


def cut(rows: int) -> int:
    """The newest rows gone and the head set back; the first that is missing."""
    newest = ChainHead.objects.get().sequence
    kept = AuditEvent.objects.get(sequence=newest - rows)
    with append_only.lifted():
        AuditEvent.objects.filter(sequence__gt=kept.sequence).delete()
    ChainHead.objects.update(sequence=kept.sequence, hash=kept.hash)
    return kept.sequence + 1


def test_verify__newest_rows_cut_before_they_were_anchored__names_the_first(
    store: redis.Redis, desk: Desk, shelf: Shelf, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.switch(alice, True)
    shelf.assert_current()
    call_command("verifyaudit")
    for number in range(32):
        desk.switch(alice, number % 2 == 0)
    missing = cut(30)
    capsys.readouterr()
    with pytest.raises(SystemExit):
        call_command("verifyaudit")
    assert f"row {missing}: missing: the chain went on to row " in capsys.readouterr().err


def test_verify__redis_away__says_what_it_did_not_compare(
    own_redis: RedisServer, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    own_redis.kill()
    call_command("verifyaudit")
    said = capsys.readouterr().out
    assert "not compared with what evaluators were given: Redis does not answer" in said
    assert "the chain holds" in said
