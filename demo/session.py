"""`python -m demo.session GDB EBIN`: starts the node, then becomes the GDB that is attached to it.

In this order, because GDB may attach to its own descendants also where ptrace is restricted to them (Yama's
ptrace_scope 1, as on Ubuntu): the node is a child of this process, which turns into GDB.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

OPEN = b"the shop is open"
"""What the node says when it is ready to be looked at."""

NODE = ("erl", "-noinput", "+S", "1", "-s", "shop", "start")
GDB_OPTIONS = ("-nx", "-q", "-batch")
#: Their only purpose is a short output.
GDB_SETTINGS = ("set print thread-events off", "set print frame-info location", "set debuginfod enabled off")


def main(gdb: str, ebin: str) -> None:
    """Does not return when all is well."""
    print(f"==> {shlex.join(NODE)} &", flush=True)
    node = start_node(ebin)
    command = gdb_command(gdb, node)
    print(f"==> {shlex.join(command)}\n", flush=True)
    os.execv(gdb, [*command, "-x", str(Path(__file__).with_name("tour_native.py"))])


def start_node(ebin: str) -> int:
    """The process id of a node whose shop is open; exits with a message if there will be none."""
    environment = {**os.environ, "ERL_CRASH_DUMP": "/dev/null", "ERL_FLAGS": "", "ERL_AFLAGS": "", "ERL_ZFLAGS": ""}
    command = [*NODE, "-pa", ebin]
    node = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    assert node.stdout is not None
    said = b""
    for line in node.stdout:
        said += line
        if OPEN in line:
            # `erl` and `erlexec` have become the emulator by exec: the process is still the one started here.
            return node.pid
    sys.exit(f"demo: the Erlang node has ended; it said:\n{said.decode(errors='replace')}")


def gdb_command(gdb: str, process: int) -> list[str]:
    """GDB with the extension, attached to a process."""
    settings = [word for setting in GDB_SETTINGS for word in ("-iex", setting)]
    return [Path(gdb).name, *GDB_OPTIONS, *settings, "-ix", "gdbinit", "-p", str(process)]


if __name__ == "__main__":
    main(*sys.argv[1:])
