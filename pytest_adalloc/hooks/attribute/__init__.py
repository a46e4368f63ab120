"""Who allocated: library, function, and the line of the user."""
