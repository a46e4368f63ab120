"""`python -m adcore COMMAND ...`."""

import sys

from adcore.command.main import main

if __name__ == "__main__":
    sys.exit(main())
