"""Anchors outside the database, and what they show that the database alone cannot."""

import json
import logging
import stat
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from portal.audit import anchors, chain, selectors, services, tasks
from portal.audit.anchors import Anchor, BadAnchor
from portal.audit.chain import FIELDS, Fault
from portal.audit.models import AuditEvent, ChainHead
from portal.lib import clock
from tests.portal.audit.conftest import record
from tests.support import append_only
from tests.support.http_server import serving
from tests.support.waiting import wait_until


@pytest.fixture
def anchored(trail: None, anchor_file: Path) -> Path:
    """The trail's five rows, anchored at rows 5 and 6; row 7 came later."""
    services.anchor_head(now=clock.now())
    record("sixth")
    services.anchor_head(now=clock.now())
    record("seventh")
    return anchor_file


def verify(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The status of the command and what it complains of."""
    try:
        call_command("verifyaudit", *words)
    except SystemExit as ended:
        return int(str(ended.code)), capsys.readouterr().err
    return 0, capsys.readouterr().err


def rewrite_all(key: bytes, **values: object) -> None:
    """Another history that links, with its head: what only somebody with the key can make hold."""
    last = chain.GENESIS
    with append_only.lifted():
        for event in AuditEvent.objects.order_by("sequence"):
            for name, value in values.items():
                setattr(event, name, value)
            row = chain.canonical([getattr(event, name) for name in FIELDS])
            event.previous_hash, event.hash = last, chain.link(key, last, row)
            event.save(force_update=True)
            last = event.hash
    ChainHead.objects.update(hash=last)


def cut(after: int) -> None:
    """Rows at the end gone, and the head set back to match."""
    kept = AuditEvent.objects.get(sequence=after)
    with append_only.lifted():
        AuditEvent.objects.filter(sequence__gt=after).delete()
    ChainHead.objects.update(sequence=kept.sequence, hash=kept.hash)


def test_anchor__chain_moved__is_a_private_line_that_says_where_it_stands(
    trail: None, anchor_file: Path
) -> None:
    services.anchor_head(now=clock.now())
    (line,) = anchor_file.read_text().splitlines()
    document = json.loads(line)
    head = ChainHead.objects.get()
    assert (document["sequence"], document["hash"]) == (5, head.hash)
    assert set(document) == {"format", "sequence", "hash", "at", "mac"}
    assert stat.S_IMODE(anchor_file.stat().st_mode) == 0o600


def test_anchor__chain_has_not_moved__writes_nothing(trail: None, anchor_file: Path) -> None:
    assert services.anchor_head(now=clock.now())
    before = anchor_file.read_bytes()
    assert services.anchor_head(now=clock.now()) is None
    assert anchor_file.read_bytes() == before


def test_anchor__nothing_recorded_yet__writes_nothing(db: None, anchor_file: Path) -> None:
    assert services.anchor_head(now=clock.now()) is None
    assert anchor_file.read_bytes() == b""


def test_anchor__log__has_the_same_line(
    trail: None, anchor_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "aviary.audit"):
        tasks.anchor_head()
    assert caplog.messages == [f"anchor {anchor_file.read_text().strip()}"]


def test_anchor__chain_was_set_back__is_said_at_once(
    anchored: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut(4)
    services.anchor_head(now=clock.now())
    assert "went back from row 6 to row 4" in caplog.text


def test_anchor__file_cannot_be_written__is_an_error(
    trail: None, settings: Settings, tmp_path: Path
) -> None:
    settings.AUDIT_ANCHOR_FILE = str(tmp_path / "no" / "folder")
    with pytest.raises(CommandError, match="No such file"):
        call_command("anchoraudit")


def test_verify__rows_cut_and_the_head_set_back__names_the_first_missing_row(
    anchored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut(3)
    assert selectors.chain_fault() is None
    assert verify(capsys) == (1, "row 4: missing: the chain went on to row 6\n")


def test_verify__all_rewritten_with_the_key__names_the_first_anchored_row(
    anchored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite_all(settings.AUDIT_KEY, actor="nobody")
    assert selectors.chain_fault() is None
    assert verify(capsys) == (1, f"row 5: {chain.ANOTHER_ROW}\n")


def test_verify__all_rewritten_without_the_key__names_row_1(
    anchored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite_all(b"a guess".ljust(32), actor="nobody")
    assert verify(capsys) == (1, "row 1: its content does not match its hash\n")


def test_verify__chain_passes_all_anchors__says_so(
    anchored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verifyaudit", "--anchors", str(anchored))
    assert capsys.readouterr().out == "the chain holds: 7 rows, through 2 of 2 anchors\n"


@pytest.mark.parametrize(
    "forged",
    [
        {"hash": "0" * 64},
        {"sequence": 4},
        {"at": "2020-01-01T00:00:00.000000+00:00"},
        {"mac": "0" * 64},
        {"mac": None},
        {"sequence": "5"},
    ],
)
def test_verify__line_of_the_anchors_forged__names_the_line(
    anchored: Path, capsys: pytest.CaptureFixture[str], forged: dict[str, object]
) -> None:
    first, second = anchored.read_text().splitlines()
    anchored.write_text(f"{json.dumps(json.loads(first) | forged)}\n{second}\n")
    status, said = verify(capsys)
    assert status == 1
    assert said.startswith(f"{anchored} line 1: ")


@pytest.mark.parametrize("line", ["", "[]", "null", "{}", '{"mac":1}', "x" * 5000, "[" * 900])
def test_parse__what_is_no_anchor__is_refused(line: str) -> None:
    with pytest.raises(BadAnchor):
        Anchor.parse(line.encode(), settings.AUDIT_KEY)


def test_verify__anchored_row_of_another_history__names_the_line(
    anchored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both were written with the key: the chain went two ways from there."""
    other = Anchor.taken(6, "0" * 64, now=clock.now())
    with anchors.opened(anchored, settings.AUDIT_KEY) as file:
        file.append(other)
    assert verify(capsys) == (
        1,
        f"{anchored} line 3: row 6 was anchored before with another hash\n",
    )


def test_verify__file_of_anchors_is_not_there__cannot_be_said(trail: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot read") as refused:
        call_command("verifyaudit", "--anchors", str(tmp_path / "none"))
    assert refused.value.returncode == 2


def test_chain__head_says_another_hash_than_an_anchor__is_found(trail: None) -> None:
    head = ChainHead.objects.get()
    ChainHead.objects.update(hash="0" * 64)
    assert selectors.chain_fault({5: head.hash}) == Fault(5, chain.ANOTHER_ROW)


def test_webhook__takes_each_anchor_once(
    trail: None, anchor_file: Path, settings: Settings
) -> None:
    with serving() as server:
        settings.AUDIT_ANCHOR_WEBHOOK = f"{server.url}/anchors?token=t"
        settings.AUDIT_ANCHOR_WEBHOOK_PRIVATE = True
        services.send_anchor(now=clock.now())
        services.send_anchor(now=clock.now())
    (request,) = server.requests
    assert (request.path, request.body) == ("/anchors?token=t", anchor_file.read_bytes().strip())


def test_webhook__away__is_logged_without_its_path_and_tried_again(
    trail: None, anchor_file: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def unwell(handler: BaseHTTPRequestHandler) -> None:
        handler.send_error(503)

    settings.AUDIT_ANCHOR_WEBHOOK_PRIVATE = True
    with serving(unwell) as server:
        settings.AUDIT_ANCHOR_WEBHOOK = f"{server.url}/secret-token"
        services.send_anchor(now=clock.now())
    assert "the anchor was not sent: 127.0.0.1 answered with status 503" in caplog.text
    assert "secret-token" not in caplog.text
    with serving() as server:
        settings.AUDIT_ANCHOR_WEBHOOK = f"{server.url}/secret-token"
        services.send_anchor(now=clock.now())
    assert [request.body for request in server.requests] == [anchor_file.read_bytes().strip()]


def test_webhook__private_address_not_allowed__is_not_called(
    trail: None, anchor_file: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as server:
        settings.AUDIT_ANCHOR_WEBHOOK = server.url
        services.send_anchor(now=clock.now())
    assert server.requests == []
    assert "lies in a private network" in caplog.text


def test_thinning__old_anchors__leaves_one_an_hour_and_what_nobody_can_believe(
    trail: None, anchor_file: Path
) -> None:
    key, noon = settings.AUDIT_KEY, datetime(2026, 3, 1, 12, tzinfo=UTC)
    times = [noon + timedelta(minutes=m) for m in (0, 10, 59, 60, 61, 150)]
    lines = [Anchor.taken(n, "0" * 64, now=at).line(key) + b"\n" for n, at in enumerate(times, 1)]
    lines.insert(1, b"somebody was here\n")
    anchor_file.write_bytes(b"".join(lines))
    anchors.thin(anchor_file, key, before=noon + timedelta(minutes=61))
    assert anchor_file.read_bytes().splitlines(keepends=True) == [
        lines[1],  # no anchor
        lines[3],  # the last of twelve o'clock
        lines[5],  # from then on all
        lines[6],
    ]
    assert stat.S_IMODE(anchor_file.stat().st_mode) == 0o600


def test_anchor__first_of_a_day__thins_what_is_old(trail: None, anchor_file: Path) -> None:
    now, key = clock.now(), settings.AUDIT_KEY
    old = (now - timedelta(days=40)).replace(minute=0)
    lines = [
        Anchor.taken(1, "0" * 64, now=old + timedelta(minutes=m)).line(key) + b"\n" for m in (1, 2)
    ]
    anchor_file.write_bytes(b"".join(lines))
    services.anchor_head(now=now)
    assert anchor_file.read_bytes().splitlines(keepends=True)[:-1] == lines[1:]


@pytest.mark.django_db(transaction=True)
def test_relay__anchors__with_neither_redis_nor_celery(
    anchor_file: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record("first")
    settings.AUDIT_ANCHOR_INTERVAL_S = 0.01
    stop = threading.Event()
    anchoring = threading.Thread(target=services.keep_anchoring, args=[stop])
    anchoring.start()
    wait_until(lambda: anchor_file.exists() and anchor_file.read_bytes(), what="the anchor")
    stop.set()
    anchoring.join()
    assert json.loads(anchor_file.read_bytes())["sequence"] == 1
