"""Control flow: blocks, branches, loops, exceptions."""
