"""`python -m beamgdb`, the same as the command `beamgdb`."""

from __future__ import annotations

import sys

from beamgdb.cli import main

sys.exit(main())
