"""Measure the power of the tests: `./run nox -s power`, or `python tools/power/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from power.measure import main

if __name__ == "__main__":
    sys.exit(main())
