#!/usr/lib/gatepost/bin/python3 -I
"""The command `gatepost`, in the private environment of the package."""

import sys

from gatepost.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
