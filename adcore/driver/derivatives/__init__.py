"""Derivatives as new values: gradients, products, matrices, the user's own rules, derivatives inside compiled code."""
