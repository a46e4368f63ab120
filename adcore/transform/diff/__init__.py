"""Differentiation: forward mode, reverse mode, and the pieces of the two sweeps."""
