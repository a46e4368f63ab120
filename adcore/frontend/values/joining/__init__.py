"""Where paths meet: two abstract values become one, and names that stand for different arrays."""
