"""Status of runs on a cluster, and accounting."""
