"""What somebody who merely reaches Redis can do: nothing but keep changes away."""

from collections.abc import Callable

import pytest

from flags.channel import Envelope, Sealer, StreamEntry
from tests.flags.evaluator.publisher import SEALER, flag
from tests.flags.evaluator.shop import Shop
from tests.support.waiting import wait_until

FORGER = Sealer(b"x" * 32)


def _forge(shop: Shop, field: str, document: dict[str, object] | None) -> bytes:
    envelope = Envelope(shop.portal.epoch, shop.portal.version, document)
    return FORGER.seal(envelope, environment_id=shop.portal.environment_id, field=field)


def _store(shop: Shop, *, head: bytes | None = None, **flags: bytes) -> None:
    named = {f"flag/{key}": sealed for key, sealed in flags.items()}
    shop.portal.overwrite(head=head, documents=named)


def _await_refusal(shop: Shop, cause: str, act: Callable[[], object]) -> None:
    before = shop.evaluator.refused(cause)
    act()
    wait_until(lambda: shop.evaluator.refused(cause) > before)


def test_a_forged_head_is_refused(shop: Shop) -> None:
    shop.open(flag("a", "genuine"))
    served = shop.served()
    genuine = shop.portal.held_head()
    shop.portal.version += 1
    document = {"project": "shop", "environment": "x", "kind": "live", "documents": 0}
    forged = _forge(shop, "head", {**document, "published_at": 0})
    _await_refusal(shop, "forged", lambda: _store(shop, head=forged))
    assert shop.served() == served
    assert shop.value("a") == "genuine"
    shop.portal.version -= 1
    _store(shop, head=genuine)
    shop.publish({"flag/a": flag("a", "later")})
    assert shop.value("a") == "later"


@pytest.mark.parametrize("head", [b"", b"nonsense", b"::::", b"e:1:sig:{}", b"\xff:1:s:{}"])
def test_a_head_that_is_no_envelope_is_refused(shop: Shop, head: bytes) -> None:
    shop.open(flag("a", "genuine"))
    _await_refusal(shop, "forged", lambda: _store(shop, head=head))
    assert shop.value("a") == "genuine"


@pytest.mark.parametrize("changes", [{"documents": "2"}, {"published_at": None}])
def test_a_sealed_head_that_makes_no_sense_is_refused(
    shop: Shop, changes: dict[str, object]
) -> None:
    shop.open(flag("a", "genuine"))
    shop.portal.version += 1
    head = shop.portal.seal_head(**changes)
    _await_refusal(shop, "malformed", lambda: _store(shop, head=head))
    assert shop.value("a") == "genuine"


def test_a_forged_document_keeps_the_whole_load_away(shop: Shop) -> None:
    shop.open(flag("a", "genuine"), flag("b", "genuine"))
    served = shop.served()
    changes = shop.portal.change({"flag/b": flag("b", "changed")})
    forged = _forge(shop, "flag/a", flag("a", "forged"))
    head = shop.portal.seal_head()
    _await_refusal(shop, "forged", lambda: _store(shop, head=head, a=forged, b=changes["flag/b"]))
    assert (shop.value("a"), shop.value("b")) == ("genuine", "genuine")
    assert shop.served() == served
    _store(shop, a=shop.portal.seal("flag/a", flag("a", "genuine")))
    shop.wait()
    assert (shop.value("a"), shop.value("b")) == ("genuine", "changed")


def test_a_forged_stream_entry_is_refused(shop: Shop) -> None:
    shop.open(flag("a", "genuine"))
    served = shop.served()
    base, shop.portal.version = shop.portal.version, shop.portal.version + 1
    forged = _forge(shop, "flag/a", flag("a", "forged"))
    head = _forge(shop, "head", {})
    entry = StreamEntry(shop.portal.epoch, base, base + 1, head, (("flag/a", forged),))
    _await_refusal(shop, "forged", lambda: shop.portal.announce(entry.to_fields()))
    assert shop.value("a") == "genuine"
    assert shop.served() == served


def test_a_forged_change_under_a_genuine_head_is_not_applied(shop: Shop) -> None:
    shop.open(flag("a", "genuine"))
    seen = shop.portal.held_head()
    stored = shop.portal.change({"flag/a": flag("a", "changed")})
    forged = _forge(shop, "flag/a", flag("a", "forged"))
    entry = shop.portal.entry((("flag/a", forged),))
    _await_refusal(shop, "forged", lambda: shop.portal.run("delta", entry, stored, seen=seen))
    shop.wait()  # by a full load
    assert shop.value("a") == "changed"


def test_a_genuine_head_under_another_version_is_refused(shop: Shop) -> None:
    shop.open(flag("a", "genuine"))
    head = shop.portal.held_head()
    version = shop.portal.version
    entry = StreamEntry(shop.portal.epoch, version, version + 1, head, ())
    _await_refusal(shop, "forged", lambda: shop.portal.announce(entry.to_fields()))
    assert shop.served() == (shop.portal.epoch, version)


def test_a_document_moved_to_another_flag_is_refused(shop: Shop) -> None:
    shop.open(flag("a", "a"), flag("b", "b"))
    changes = shop.portal.change({"flag/b": flag("b", "changed")})
    head = shop.portal.seal_head()
    _await_refusal(shop, "forged", lambda: _store(shop, head=head, a=changes["flag/b"]))
    assert shop.value("a") == "a"


def test_a_document_of_another_environment_is_refused(shop: Shop, neighbour: Shop) -> None:
    shop.open(flag("a", "mine"))
    neighbour.open(flag("a", "theirs"))
    shop.portal.version += 1
    head = shop.portal.seal_head()
    foreign = neighbour.portal.seal("flag/a", flag("a", "theirs"))
    _await_refusal(shop, "forged", lambda: _store(shop, head=head, a=foreign))
    assert shop.value("a") == "mine"


def test_an_older_head_is_refused(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    old = shop.portal.held_head()
    sealed = shop.portal.held_document("flag/a")
    shop.publish({"flag/a": flag("a", "new")})
    served = shop.served()
    _await_refusal(shop, "older_version", lambda: _store(shop, head=old, a=sealed))
    assert shop.value("a") == "new"
    assert shop.served() == served


def test_a_lower_epoch_is_refused(shop: Shop) -> None:
    shop.open(flag("a", "new"))
    served, epoch = shop.served(), shop.portal.epoch
    shop.portal.epoch = "2025" + epoch[4:]
    shop.portal.version += 10
    head = shop.portal.seal_head()
    sealed = shop.portal.seal("flag/a", flag("a", "old"))
    _await_refusal(shop, "lower_epoch", lambda: _store(shop, head=head, a=sealed))
    assert shop.value("a") == "new"
    assert shop.served() == served


def test_a_document_of_an_older_epoch_is_refused(shop: Shop) -> None:
    shop.open(flag("a", "new"))
    old = Envelope("2025", shop.portal.version, flag("a", "old"))
    sealed = SEALER.seal(old, environment_id=shop.portal.environment_id, field="flag/a")
    shop.portal.version += 1
    head = shop.portal.seal_head()
    _await_refusal(shop, "other_epoch", lambda: _store(shop, head=head, a=sealed))
    assert shop.value("a") == "new"


def test_an_older_document_is_refused_and_the_rest_goes_on(shop: Shop) -> None:
    shop.open(flag("a", "first"), flag("b", "first"))
    old = shop.portal.held_document("flag/a")
    shop.publish({"flag/a": flag("a", "second")})
    changes = shop.portal.change({"flag/b": flag("b", "second")})
    head = shop.portal.seal_head()
    _await_refusal(
        shop, "older_document", lambda: _store(shop, head=head, a=old, b=changes["flag/b"])
    )
    shop.wait()
    assert (shop.value("a"), shop.value("b")) == ("second", "second")


def test_a_removed_flag_cannot_be_brought_back(shop: Shop) -> None:
    shop.open(flag("a", "removed"), flag("b", "first"))
    old = shop.portal.held_document("flag/a")
    shop.publish({"flag/a": None})
    changes = shop.portal.change({"flag/b": flag("b", "second")})
    head = shop.portal.seal_head(documents=len(shop.portal.documents) + 1)
    _await_refusal(
        shop, "older_document", lambda: _store(shop, head=head, a=old, b=changes["flag/b"])
    )
    assert shop.ask("a").status_code == 404


def test_documents_that_are_missing_keep_the_load_away(shop: Shop) -> None:
    shop.open(flag("a", "old"), flag("b", "old"))
    changes = shop.portal.change({"flag/a": flag("a", "new")})
    shop.portal.client.hdel(shop.portal.keys.documents, "flag/b")
    head = shop.portal.seal_head()
    _await_refusal(shop, "incomplete", lambda: _store(shop, head=head, a=changes["flag/a"]))
    assert (shop.value("a"), shop.value("b")) == ("old", "old")
    _store(shop, b=shop.portal.seal("flag/b", flag("b", "old")))
    shop.wait()
    assert (shop.value("a"), shop.value("b")) == ("new", "old")
