"""Syntax of lists and dicts: displays, comprehensions, methods."""
