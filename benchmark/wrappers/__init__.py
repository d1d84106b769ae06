"""Methods that wrap another method: sliding window and self-training."""
