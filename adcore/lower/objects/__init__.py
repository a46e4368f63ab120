"""From LLVM IR to object code, and the proof on the object that it cannot allocate."""
