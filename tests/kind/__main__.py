"""Entry point of ``python3 -m kind``."""

import sys

from kind.cli import main

if __name__ == "__main__":
    sys.exit(main())
