"""What was once read from the runs of a large store, so that it is not read again while no file has changed."""
