"""`gatepost` and `python -m gatepost`."""

import sys

from gatepost.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
