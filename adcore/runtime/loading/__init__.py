"""Object code into this process: linked by our own loader or by LLVM, in memory of its own."""
