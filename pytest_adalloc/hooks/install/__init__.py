"""Bringing the hooks to life: loaded objects, their slots, native code."""
