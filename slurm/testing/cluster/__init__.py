"""A SLURM cluster on one host."""
