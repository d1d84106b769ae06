"""Checks that a method keeps the contract of `Method`, as `chimera-bench test` and the test suite run them."""
