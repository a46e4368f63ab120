"""Python values to the words of kernels and back: arguments, leaves, shadows, results, structures."""
