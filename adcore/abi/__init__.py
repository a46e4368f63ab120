"""What generated code, the runtime and the allocator hooks agree on: the frame of a call, faults, object files."""
