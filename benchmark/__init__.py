"""chimera-bench: reproducible benchmarking of zero-shot semantic segmentation. The harness, independent of any method."""
