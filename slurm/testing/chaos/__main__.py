"""Command line of the chaos experiment: `python -m slurm.testing.chaos`."""

import sys

from slurm.testing.chaos.experiment import main

if __name__ == "__main__":
    sys.exit(main())
