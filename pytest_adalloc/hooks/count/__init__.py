"""Counting: one window over calls, over a block, over many calls."""
