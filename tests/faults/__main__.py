"""``python -m tests.faults [NAME …]``: one line per fault; status 1 when a bar is missed."""

import signal
import sys
import traceback
from types import FrameType

from bench import evaluator
from tests.faults.harness import Fault, Stage, find_faults


def main(wanted: list[str]) -> int:
    """Run the named faults, or all; returns the exit status."""
    known = find_faults()
    if set(wanted) - set(known):
        print(f"aviary: there are {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    print(f"{evaluator.describe()}\n", flush=True)
    chosen = [known[name] for name in wanted or known]
    stage = Stage()
    try:
        # Those on one database after another, so that few installations are started.
        passed = [_report(stage, one) for one in sorted(chosen, key=lambda one: one.on_postgres)]
    finally:
        stage.close()
    print(f"\n{sum(passed)} of {len(passed)} faults within their bars")
    return 0 if all(passed) else 1


def _report(stage: Stage, one: Fault) -> bool:
    try:
        figures = stage.run(one)
    except Exception as error:
        print(f"FAIL  {one.title}: {error!r}", flush=True)
        traceback.print_exc()
        return False
    passed = not any(figure.misses(timed=True) for figure in figures)
    told = "; ".join(map(str, figures))
    print(f"{'pass' if passed else 'FAIL'}  {one.title}: {told}", flush=True)
    return passed


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # so that the installation is stopped then, too
    sys.exit(main(sys.argv[1:]))
