"""NumPy functions that are written in the language itself. None is yet; this is their room."""
