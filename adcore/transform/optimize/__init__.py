"""Passes after differentiation: fewer touches of memory, loops that run in vectors, products of matrices."""
