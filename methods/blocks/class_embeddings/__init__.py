"""Text vectors of class names."""
