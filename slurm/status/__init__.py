"""Status of runs on a cluster, and the resources that they used."""
