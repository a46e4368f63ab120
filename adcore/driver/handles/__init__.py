"""What `ad.compile` returns: handles, handles over fixed buffers, split sweeps, and code for other callers."""
