"""The gradient against finite differences: where they are taken, how good they are, and the verdict."""
