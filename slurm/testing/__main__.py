"""Command line of the local test cluster: `python -m slurm.testing up`, `env`, `status` or `down`."""

import sys

from slurm.testing.commands import main

if __name__ == "__main__":
    sys.exit(main())
