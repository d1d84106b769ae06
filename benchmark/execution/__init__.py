"""From a resolved run to its record: in this process, in a worker, in a pool."""
