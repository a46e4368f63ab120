"""The gradient against exact slopes: no step, so nothing cancels, and corners, edges and jumps are seen as such."""
