"""SLURM cluster on one host."""
