"""Checks of gradients: the call as a vector, finite differences, comparison, verdict."""
