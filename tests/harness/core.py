"""Core dumps of running nodes."""

from __future__ import annotations

from pathlib import Path

from tests.harness.erl import Node
from tests.harness.gdb import batch


def dump_core(node: Node, path: Path, gdb: str = "gdb") -> Path:
    """Write a core of `node` to `path`; the node goes on. Raises RuntimeError when GDB wrote none."""
    said = batch("-p", str(node.pid), "-ex", f"gcore {path}", gdb=gdb)
    if not path.is_file():
        raise RuntimeError(f"no core was written; GDB said:\n{said[-2000:]}")
    return path
