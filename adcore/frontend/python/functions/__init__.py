"""Python's builtins and the functions of `math`, each registered where it is defined (`adcore.frontend.registry`)."""
