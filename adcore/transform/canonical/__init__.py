"""Passes that bring a program into the form that analyses expect: simplified, inlined, with checks out of loops."""
