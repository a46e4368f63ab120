"""How single instructions become LLVM: control flow, memory, checks, products of matrices, the words of a frame."""
