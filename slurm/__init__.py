"""Support for SLURM clusters: profiles, job arrays, the job that a node runs, and a one-host cluster for tests."""
