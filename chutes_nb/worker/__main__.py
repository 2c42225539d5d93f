"""Start of the worker process."""

from __future__ import annotations

import sys

from .main import main

if __name__ == "__main__":
    main(sys.argv[1:])
