"""What can be said about a derivative besides computing it: slopes in wider arithmetic, twins, where NaN appears."""
