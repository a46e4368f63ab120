"""The command line: `python -m adcore COMMAND ...`, and what the script `adcore` builds on."""
