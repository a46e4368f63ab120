"""What a command says of a question that makes no sense."""


class CommandError(Exception):
    """The text is one line; the exit status is 2."""
