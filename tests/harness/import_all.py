"""Run by GDB with the extension: imports all that it may ever import; prints what cannot be, and how many files."""

import importlib
from pathlib import Path

import beamgdb

ROOT = Path(beamgdb.__file__).parent.parent
ROOMS = ("beamgdb", "jit/beam", "jit/image", "jit/object", "jit/otp", "jit/system")
#: `loader` runs when it is imported, and so do the files `__main__`; `screen` runs GDB, in a Python of its own.
FILES = [
    file
    for room in ROOMS
    for file in (ROOT / room).rglob("*.py")
    if file.stem not in ("loader", "__main__") and file.parent.name != "screen"
]

for file in FILES:
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    try:
        importlib.import_module(name.removesuffix(".__init__"))
    except Exception as why:
        print(f"{name}: {why!r}")
print(f"{len(FILES)} files")
