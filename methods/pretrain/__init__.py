"""Training of the toy weights that are included in the package."""
