"""Numbers: types and whose they are, operators, conversions, powers, ties, integers of few bits."""
