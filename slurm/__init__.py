"""Everything that knows of SLURM: cluster profiles, job arrays, the job a node runs, a one-host cluster for tests."""
