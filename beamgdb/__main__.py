"""`python -m beamgdb`, the same as the command `beamgdb`."""

import sys

from beamgdb.cli import main

sys.exit(main())
