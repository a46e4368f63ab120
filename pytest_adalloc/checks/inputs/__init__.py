"""What a gradient is checked at: arguments as one vector, instances, several sizes and points."""
