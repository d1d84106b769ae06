"""Methods that wrap a method: sliding window, self-training."""
