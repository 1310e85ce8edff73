"""One suite for the stock providers, as applications install them."""

from collections.abc import Callable, Iterator

import pytest

from tests.flags.evaluator.providers.visitors import (
    Context,
    Java,
    JavaScript,
    Jvm,
    Node,
    Python,
    Visitor,
)
from tests.flags.evaluator.publisher import Key, flag, for_country, new_key
from tests.flags.evaluator.shop import Shop
from tests.support import java
from tests.support.waiting import wait_until

# Starting Java and compiling for it takes seconds.
pytestmark = pytest.mark.xdist_group("providers")

ALICE = {"targetingKey": "alice", "country": "FR"}
IN_GERMANY = {**ALICE, "country": "DE"}
BOB = {"targetingKey": "bob", "country": "FR"}

Enter = Callable[..., Visitor]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    process = Node()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def jvm() -> Iterator[Jvm]:
    process = Jvm()
    yield process
    process.stop()


@pytest.fixture
def key() -> Key:
    return new_key("client")


@pytest.fixture
def leaving() -> Iterator[list[Visitor]]:
    visitors: list[Visitor] = []
    yield visitors
    for visitor in visitors:
        visitor.close()


@pytest.fixture(params=["python", "server", "web", *(["java"] if java.find() else [])])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def enter(
    shop: Shop, key: Key, leaving: list[Visitor], request: pytest.FixtureRequest
) -> Callable[[str], Visitor]:
    def enter(kind: str, context: Context = ALICE) -> Visitor:
        url = shop.evaluator.url
        visitor: Visitor
        if kind == "python":
            visitor = Python(url, key, dict(context))
        elif kind == "java":
            visitor = Java(request.getfixturevalue("jvm"), url, key, context)
        else:
            node = request.getfixturevalue("node")
            visitor = JavaScript(node, kind, url, key, context)
        leaving.append(visitor)
        return visitor

    return enter


@pytest.fixture
def web(shop: Shop, key: Key, enter: Enter) -> JavaScript:
    """A web page with a stream open."""
    open_shop(shop, key)
    visitor = enter("web")
    wait_until(lambda: shop.evaluator.metric("streams") > 0)
    assert isinstance(visitor, JavaScript)
    return visitor


def open_shop(shop: Shop, key: Key) -> None:
    to_bob = [{"variant": "off", "keys": ["bob"]}]
    shop.open(
        flag("greeting", "hello", client_visible=True),
        flag("french", True, client_visible=True, rules=for_country("DE")),
        flag("not-bob", True, client_visible=True, targets=to_bob),
        keys=(key,),
    )


def change(shop: Shop, value: str) -> None:
    shop.publish({"flag/greeting": flag("greeting", value, client_visible=True)})


def test_a_change__arrives(shop: Shop, key: Key, enter: Enter, kind: str) -> None:
    open_shop(shop, key)
    visitor = enter(kind)
    assert visitor.value("greeting", "") == "hello"
    change(shop, "good day")
    wait_until(lambda: visitor.value("greeting", "") == "good day")


def test_another_person__gets_their_own_answers(
    shop: Shop, key: Key, enter: Enter, kind: str
) -> None:
    open_shop(shop, key)
    visitor = enter(kind)
    assert visitor.value("not-bob", False) is True
    visitor.become(**BOB)
    assert visitor.value("not-bob", True) is False


def test_the_same_person_with_another_attribute__gets_other_answers(
    shop: Shop, key: Key, enter: Enter, kind: str
) -> None:
    open_shop(shop, key)
    visitor = enter(kind)
    assert visitor.value("french", False) is True
    visitor.become(**IN_GERMANY)
    assert visitor.value("french", True) is False
    visitor.become(**ALICE)
    assert visitor.value("french", False) is True


def test_a_flag_that_is_not_there__is_named_as_missing(
    shop: Shop, key: Key, enter: Enter, kind: str
) -> None:
    open_shop(shop, key)
    assert "FLAG_NOT_FOUND" in enter(kind).error("no-such-flag", True)


def test_a_key_revoked__leaves_the_default_or_what_was_known(
    shop: Shop, key: Key, enter: Enter, kind: str
) -> None:
    open_shop(shop, key)
    visitor = enter(kind)
    shop.publish({key.field: None})
    visitor.become(**BOB)
    if isinstance(visitor, JavaScript) and kind == "web":
        assert visitor.statuses[-1] == 401
        assert "PROVIDER_ERROR" in visitor.events
        assert visitor.value("greeting", "") == "hello"
    else:
        assert visitor.value("greeting", "default") == "default"
        assert visitor.error("greeting", "default")


class TestLimited:
    """With a key that may ask once a second."""

    @pytest.fixture
    def key(self) -> Key:
        return new_key("client", rate=1, burst=1)

    def test_too_many_requests__leave_the_default_or_what_was_known(
        self, shop: Shop, key: Key, enter: Enter, kind: str
    ) -> None:
        open_shop(shop, key)
        visitor = enter(kind)
        if kind == "web":
            assert isinstance(visitor, JavaScript)
            visitor.become(**BOB)
            assert 429 in visitor.statuses
            assert "PROVIDER_STALE" in visitor.events
            assert visitor.value("not-bob", False) is True
        else:
            got = [visitor.value("greeting", "default") for _one in range(4)]
            assert {"hello", "default"} == set(got)
            wait_until(lambda: visitor.value("greeting", "default") == "hello")


def test_a_web_page__hears_of_a_change_without_polling(shop: Shop, web: JavaScript) -> None:
    assert web.statuses == [200]
    change(shop, "good day")
    wait_until(lambda: web.value("greeting", "") == "good day")
    assert web.statuses == [200, 200]
    assert "PROVIDER_CONFIGURATION_CHANGED" in web.events


def test_a_web_page__gets_a_304_where_its_answers_stay_the_same(
    shop: Shop, web: JavaScript
) -> None:
    web.become(**ALICE, colour="green")
    assert web.statuses == [200, 304]
    # A flag that it does not see changes: it is told, and asks in vain.
    shop.publish({"flag/internal": flag("internal")})
    wait_until(lambda: web.statuses == [200, 304, 304])
    assert web.value("french", False) is True
    web.become(**IN_GERMANY)
    assert web.statuses[-1] == 200
    assert web.value("french", True) is False


def test_a_web_page_that_was_cut_off__learns_on_return_what_it_missed(
    shop: Shop, web: JavaScript
) -> None:
    web.cut_streams()
    wait_until(lambda: "PROVIDER_STALE" in web.events)
    change(shop, "missed")
    wait_until(lambda: web.value("greeting", "") == "missed")
    change(shop, "not missed")
    wait_until(lambda: web.value("greeting", "") == "not missed")
