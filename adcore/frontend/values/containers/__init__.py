"""Things that hold others: lists, tuples, dicts, ranges, and lists that grow while the program runs."""
