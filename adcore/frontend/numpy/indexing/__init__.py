"""Subscripts: elements, slices, views, and arrays of integers and bools as subscripts."""
