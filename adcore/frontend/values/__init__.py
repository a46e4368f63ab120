"""Abstract values: what the frontend knows about a Python value, and how two of them join."""
