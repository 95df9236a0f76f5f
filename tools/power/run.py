"""How much the tests notice: `./run nox -s power`, or `python tools/power/run.py --help` where the checks run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from power.measure import main

if __name__ == "__main__":
    sys.exit(main())
