"""Cost of methods and of the benchmark itself."""
