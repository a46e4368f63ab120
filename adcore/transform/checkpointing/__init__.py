"""Loops whose reverse sweep runs steps again: binomial checkpointing and rewinding."""
