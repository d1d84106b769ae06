"""CLIP: configuration, loading, weights, image encoder."""
