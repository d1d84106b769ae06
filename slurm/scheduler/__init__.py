"""What SLURM says: jobs, states, configuration."""
