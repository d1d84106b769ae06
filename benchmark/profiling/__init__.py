"""Cost of methods and of the benchmark itself: parameters, operations, time and memory."""
