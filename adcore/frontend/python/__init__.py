"""Python in the frontend: statements, control flow, expressions, calls."""
