"""NumPy's functions, each registered where it is defined (`adcore.frontend.registry`)."""
