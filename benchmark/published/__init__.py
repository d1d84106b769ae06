"""Published numbers as data: rows of `results/published/`, how they are read, found and checked. Imports no torch."""
