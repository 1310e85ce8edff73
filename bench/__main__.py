"""``python -m bench [NAME…] [--quick]``; ``make bench`` measures all."""

import sys
from collections.abc import Callable
from functools import partial

from bench import calls, comparing, evaluator, history, judge, otlp, releases, telemetry
from bench.evaluator import CONNECTIONS, SECONDS, NoLoadGenerator


def main(wanted: list[str]) -> int:
    """Print every measurement, with the machine and the peer it was made against."""
    known: dict[str, Callable[[], None]] = {
        "evaluator": _evaluator,
        "telemetry": _telemetry,
        "otlp": _otlp,
        "releases": _releases,
        "comparing": _comparing,
        "history": _history,
        "judge": partial(_judge, is_quick="--quick" in wanted),
        "calls": _calls,
    }
    wanted = [name for name in wanted if name != "--quick"]
    if set(wanted) - set(known):
        print(f"aviary: there are {', '.join(known)} to measure", file=sys.stderr)
        return 2
    try:
        for name in wanted or known:
            known[name]()
    except NoLoadGenerator as error:
        print(f"aviary: {error}", file=sys.stderr)
        return 2
    return 0


def _evaluator() -> None:
    table = evaluator.run()
    how = f"wrk, {CONNECTIONS} connections, {SECONDS} s, best of {evaluator.ROUNDS} rounds"
    print(f"\nMeasured with {how}, server and load on a core each.")
    print(f"{evaluator.describe()}.\n")
    print("\n".join(table))


def _telemetry() -> None:
    table = telemetry.run()
    how = f"wrk, batches of {telemetry.OUTCOMES:,}, {SECONDS} s, best of {evaluator.ROUNDS} rounds"
    print(f"\nMeasured with {how}, server and load on a core each.")
    print(f"{evaluator.describe()}.\n")
    print("\n".join(table))


def _otlp() -> None:
    table = otlp.run()
    how = f"wrk, requests of {otlp.POINTS:,} points, {SECONDS} s, best of {evaluator.ROUNDS} rounds"
    print(f"\nMeasured with {how}, server and load on a core each.")
    print(f"{evaluator.describe()}.\n")
    print("\n".join(table))


def _releases() -> None:
    table = releases.run()
    print("\nMeasured in one process that does what the worker's lane of releases does.")
    print(f"{evaluator.describe()}.\n")
    print("\n".join(table))


def _comparing() -> None:
    table = comparing.run()
    print("\nMeasured in one process that does what one look at a release does.")
    print(f"{evaluator.describe()}.\n")
    print("\n".join(table))


def _history() -> None:
    table = history.run()
    print(f"\nMeasured in one process, {history.ROUNDS} times each page.")
    print(f"{evaluator.describe()}.\n")
    print("\n".join(table))


def _judge(*, is_quick: bool) -> None:
    table = judge.run(is_quick=is_quick)
    print(f"\n{judge.describe()}.")
    print(f"{evaluator.describe()}.\n")
    print("\n".join(table))


def _calls() -> None:
    print("\nFunctions of our own that one click calls, and the database's queries.\n")
    print("\n".join(calls.run()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
