"""The harness of chimera-bench, independent of which method is measured."""
