"""`python -m beamgdb.sandbox`: the sandboxes of `jit/sandbox/`, under the name that users know."""

from __future__ import annotations

import sys

from jit.sandbox.command_line import main

if __name__ == "__main__":
    sys.exit(main())
