"""Independent counters that must agree with the hooks."""
