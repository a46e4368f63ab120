"""Is a fault of the compiler seen? One place of it is broken at a time, and ordinary programs are checked."""
