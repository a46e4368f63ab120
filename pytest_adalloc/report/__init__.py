"""What checks found: reports, their text, and the files they are written to."""
