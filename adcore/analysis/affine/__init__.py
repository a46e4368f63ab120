"""Integers as affine forms of loop counters and sizes, and what follows: bounds, ranges, dependence of accesses."""
