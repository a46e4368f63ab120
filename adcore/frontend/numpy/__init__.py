"""NumPy in the frontend: array expressions, indexing, reductions, shapes, new arrays."""
