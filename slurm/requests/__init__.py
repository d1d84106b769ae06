"""Requests to SLURM: profiles, resources, job arrays, batch scripts and manifests."""
