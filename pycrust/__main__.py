"""``python -m pycrust``: the same as the command ``pycrust``."""

import sys

from pycrust.bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
