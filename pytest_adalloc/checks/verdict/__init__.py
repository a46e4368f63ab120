"""What a check found: comparison, report, and the text of a failure."""
