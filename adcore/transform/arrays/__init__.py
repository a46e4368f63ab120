"""Passes over the arrays that a program makes for itself: fused away, made smaller, computed where they are read."""
