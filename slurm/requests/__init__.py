"""What is asked of SLURM: profiles, resources, job arrays, batch scripts, manifests."""
