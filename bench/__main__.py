"""``python -m bench``, which is what ``make bench`` runs."""

import sys

from bench import evaluator, machine
from bench.load import CONNECTIONS, SECONDS, NoLoadGenerator


def main() -> int:
    """Print every measurement, with the machine and the peer it was made against."""
    try:
        table = evaluator.run()
    except NoLoadGenerator as error:
        print(f"aviary: {error}", file=sys.stderr)
        return 2
    how = f"wrk, {CONNECTIONS} connections, {SECONDS} s, best of {evaluator.ROUNDS} rounds"
    print(f"\nMeasured with {how}, server and load on a core each.")
    print(f"{machine.describe()}.\n")
    print("\n".join(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
