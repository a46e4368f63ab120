"""Running kernels: linking, calling, memory, arguments and their shadows, the cache of compiled code."""
