from tests.flags.evaluator.publisher import Key, Publisher, flag
from tests.flags.evaluator.servers import EvaluatorProcess, wait_until


def test_first(evaluator: EvaluatorProcess, portal: Publisher, server_key: Key) -> None:
    portal.start(flag("a"), keys=(server_key,))
    answer = wait_until(
        lambda: (
            (
                a := evaluator.http.post(
                    "/ofrep/v1/evaluate/flags/a", json={"context": {}}, headers=server_key.headers
                )
            ).status_code
            == 200
            and a
        )
    )
    print(answer.text, answer.headers)
    a = evaluator.http.post(
        "/ofrep/v1/evaluate/flags", json={"context": {}}, headers=server_key.headers
    )
    print(a.status_code, a.text, a.headers)
    for p in "/health", "/metrics", "/ready":
        print(evaluator.http.get(p).text)
    print(evaluator.log())
