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
    print(f"\nMeasured with wrk ({CONNECTIONS} connections, {SECONDS} s) on {machine.describe()};")
    print("server and load on a core each.\n")
    print("\n".join(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
