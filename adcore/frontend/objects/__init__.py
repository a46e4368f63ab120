"""Objects: their attributes, their methods, what operators do with them, and how they are made."""
