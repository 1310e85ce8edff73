"""Never older than what a request names: flagConfigEtag and flagConfigLastModified."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import httpx

from tests.flags.evaluator.publisher import Publisher, flag
from tests.flags.evaluator.servers import EvaluatorProcess, RedisServer
from tests.flags.evaluator.shop import FLAGS, Shop
from tests.support.waiting import wait_until

PUBLISHED_AT = 1_800_000_000


def ask(shop: Shop, **query: object) -> httpx.Response:
    return shop.post(f"{FLAGS}?{httpx.QueryParams(query)}", {"context": {}})  # type: ignore[arg-type]


def tag_of(portal: Publisher, *, version: int | None = None) -> str:
    return f"{portal.epoch}.{portal.version if version is None else version}"


def test_what_is_held_already_is_answered_at_once(shop: Shop) -> None:
    shop.open(flag("a"))
    for version in range(shop.portal.version + 1):
        assert ask(shop, flagConfigEtag=tag_of(shop.portal, version=version)).status_code == 200
    assert ask(shop, flagConfigLastModified=PUBLISHED_AT).status_code == 200


def test_a_newer_configuration_is_waited_for(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    changes = shop.portal.change({"flag/a": flag("a", "new")})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, shop, flagConfigEtag=tag_of(shop.portal))
        # Only the next comparison of heads finds it: nothing is in the stream.
        shop.portal.overwrite(head=shop.portal.seal_head(), documents=changes)
        assert answer.result().json()["flags"][0]["value"] == "new"


NOTHING_KNOWN: Final[list[dict[str, object]]] = [
    {"flagConfigEtag": "550e8400-e29b-41d4-a716-446655440000"},
    {"flagConfigEtag": '"quoted"'},
    {"flagConfigEtag": "9999-never-given-out.7"},
    {"flagConfigEtag": "é\0.-1"},
    {"flagConfigEtag": "x." + "9" * 5000},
    {"flagConfigLastModified": "2026-02-20T21:28:18Z"},
    {"flagConfigLastModified": "2026-02-20T21:28:18+01:00"},
    {"flagConfigLastModified": "9" * 400},
    {"flagConfigLastModified": "yesterday"},
    {"flagConfigLastModified": "-1"},
    {"flagConfigEtag": "", "flagConfigLastModified": ""},
    {str(number): "too many" for number in range(50)},
]


def test_queries_that_name_nothing_known_are_no_obstacle(shop: Shop) -> None:
    shop.open(flag("a"))
    # At the same time: some are waited for, in case what they name is about to come.
    with ThreadPoolExecutor(len(NOTHING_KNOWN)) as pool:
        answers = pool.map(lambda query: ask(shop, **query).status_code, NOTHING_KNOWN)
    assert list(answers) == [200] * len(NOTHING_KNOWN)


def test_both_kinds_of_query_together_with_an_etag_give_a_304(shop: Shop) -> None:
    shop.open(flag("a"))
    tag = shop.ask_all().headers["etag"]
    query = httpx.QueryParams(
        flagConfigEtag=tag_of(shop.portal), flagConfigLastModified=PUBLISHED_AT
    )
    answer = shop.post(f"{FLAGS}?{query}", {"context": {}}, headers={"If-None-Match": tag})
    assert answer.status_code == 304


def test_without_redis_what_is_not_held_is_a_503_and_what_is_held_an_answer(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    own_shop.open(flag("a"))
    own_redis.kill()
    wait_until(lambda: not own_evaluator.health()["redis"]["connected"])
    behind = ask(own_shop, flagConfigEtag=tag_of(own_shop.portal, version=99))
    assert (behind.status_code, behind.headers["retry-after"]) == (503, "1")
    assert "does not have the named configuration yet" in behind.json()["errorDetails"]
    assert ask(own_shop, flagConfigEtag=tag_of(own_shop.portal)).status_code == 200
