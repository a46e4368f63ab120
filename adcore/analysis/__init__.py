"""What is known about a function: each analysis is asked for by function and changes nothing."""
