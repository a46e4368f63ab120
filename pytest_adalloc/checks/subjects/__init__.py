"""What is checked: the function as one number, and its gradient, whoever makes it."""
