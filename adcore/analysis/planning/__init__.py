"""What the reverse sweep needs of the forward sweep, how it gets it, at what cost, and how that is explained."""
