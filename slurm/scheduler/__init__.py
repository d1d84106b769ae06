"""The scheduler: its jobs, their states, and the configuration of the cluster."""
