"""Core dumps of running nodes."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from tests.harness.erl import Node
from tests.harness.gdb import Gdb, batch

PAGE = 4096

PT_NOTE = 4
HEADER, HEADER_SIZE = "<IIQQQQQQ", 56
"""A program header: p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align."""

#: What GDB says where it stopped to copy a part of the memory.
UNREAD = re.compile(r"Memory read failed for corefile section, \d+ bytes at (0x[0-9a-f]+)")


def write_core(gdb: Gdb, path: Path, pid: int) -> None:
    """Write a core of GDB's inferior, the process `pid`, with all of its memory that can be read.

    GDB 13 leaves out the rest of a mapping behind the first page that it cannot read. Since glibc 2.42 such a page is
    the guard at the end of each thread's stack (`MADV_GUARD_INSTALL`), in the mapping of the stack.
    """
    places = [int(place, 16) for place in UNREAD.findall(gdb.cmd(f"gcore {path}"))]
    with path.open("r+b") as core, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        loaded = ELFFile(core).iter_segments("PT_LOAD")
        segments = [(one["p_vaddr"], one["p_filesz"], one["p_offset"]) for one in loaded]
        for place in places:
            for start, size, offset in segments:
                if start <= place < start + size:
                    for page in range(place, start + size, PAGE):
                        core.seek(offset + page - start)
                        core.write(_page(memory, page))


def _page(memory: BinaryIO, address: int) -> bytes:
    try:
        memory.seek(address)
        return memory.read(PAGE)
    except (OSError, OverflowError):
        return bytes(PAGE)


def put_notes_first(path: Path) -> None:
    """Move what a core of 64 bits tells of threads to its beginning, where the kernel has it. GDB writes it last, and
    such a core is none any more when it is cut off."""
    data = path.read_bytes()
    start, count = int.from_bytes(data[32:40], "little"), int.from_bytes(data[56:58], "little")
    headers = [list(struct.unpack_from(HEADER, data, start + number * HEADER_SIZE)) for number in range(count)]
    headers.sort(key=lambda one: one[0] != PT_NOTE)
    at = 64 + count * HEADER_SIZE
    parts = []
    for header in headers:
        offset, size = header[2], header[5]
        parts.append(data[offset : offset + size])
        header[2], at = at, at + size
    table = b"".join(struct.pack(HEADER, *header) for header in headers)
    # (Without sections: e_phoff, e_shoff, and e_shnum with e_shstrndx.)
    top = data[:32] + struct.pack("<QQ", 64, 0) + data[48:60] + bytes(4)
    path.write_bytes(b"".join((top, table, *parts)))


def thread_that_died(path: Path) -> int:
    """GDB's number of the thread whose signal ended the process: it numbers them as the core has them, and selects the
    first. The kernel writes that thread first; qemu 7 does too, and 10 writes them as they were started, but says
    of that one alone which signal it got (`pr_cursig` of `struct elf_prstatus`, behind three words)."""
    with path.open("rb") as core:
        notes = [note for one in ELFFile(core).iter_segments() if isinstance(one, NoteSegment)
                 for note in one.iter_notes()]  # fmt: skip
    statuses = [note["n_descdata"] for note in notes if note["n_type"] == "NT_PRSTATUS"]
    return next((number for number, one in enumerate(statuses, 1) if any(one[12:14])), 1)


def dump_core(node: Node, path: Path, gdb: str = "gdb") -> Path:
    """Write a core of `node` to `path`; the node goes on. Raises RuntimeError when GDB wrote none."""
    said = batch("-p", str(node.pid), "-ex", f"gcore {path}", gdb=gdb)
    if not path.is_file():
        raise RuntimeError(f"no core was written; GDB said:\n{said[-2000:]}")
    return path
