"""Replacing the first instruction of a function, so that every call of it is seen, whatever pointer led there."""
