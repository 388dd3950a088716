"""The VM's tables without a symbol, in memory, and machine code that uses them as a C compiler might have it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.vm.image import LAYOUT, Image

INDICES = 3
PADDING = b"\x90" * 512

RANGE_USERS = ("erts_start_staging_ranges", "erts_end_staging_ranges", "erts_update_ranges")
CATCH_USERS = ("beam_catches_car", "beam_catches_car_staging")

LOAD, STORE, ADDRESS = b"\x48\x8b\x05", b"\x48\x89\x05", b"\x4c\x8d\x25"
"""`mov rax, [rip + d]`, `mov [rip + d], rax`, `lea r12, [rip + d]`."""

ABSOLUTE = {LOAD: b"\x48\x8b\x04\x25", STORE: b"\x48\x89\x04\x25", ADDRESS: b"\x41\xbc"}
"""The same in a beam.smp that is not position independent: absolute operands, and `mov r12d, imm32`."""


def function(image: Image, name: str, uses: Sequence[tuple[bytes, int]], relative: bool = True) -> None:
    """A function that uses variables in this way."""
    address = image.block(1024)
    code = b"\x41\x55"
    for opcode, target in uses:
        form = opcode if relative else ABSOLUTE[opcode]
        number = target - (address + len(code) + len(form) + 4) if relative else target
        code += form + number.to_bytes(4, "little", signed=True)
    image.write(address, code + b"\xc3" + PADDING)
    image.symbols[name] = address


class Tables:
    """`r`, `write_ptr`, `bccix` and the code indices of a VM. Nothing is loaded yet, nor are there functions."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.r = image.block(INDICES * LAYOUT.size("ranges"))
        self.write_ptr = image.block(8)
        self.bccix = image.block(INDICES * LAYOUT.size("bc_pool"))
        self.other = image.block(8)
        self.index(active=0)

    def index(self, active: int) -> None:
        """Set the code indices."""
        for name, value in (("active", active), ("staging", (active + 1) % INDICES)):
            at = self.image.symbols.setdefault(f"the_{name}_code_index", self.image.block(4))
            self.image.write(at, value.to_bytes(4, "little"))

    def module(self, start: int, end: int, count: int = 3, first: int | None = None, last: int | None = None) -> None:
        """The header of a module's code at `start`: `count` functions, from `first` (default: right behind) to `last`
        (default: the end)."""
        functions = start + LAYOUT.offset("BeamCodeHeader", "functions")
        self.image.block(functions + (count + 1) * 8 - start, start)
        self.image.struct("BeamCodeHeader", {"num_functions": count}, start)
        behind = functions + (count + 1) * 8
        self.image.poke(functions, first or behind, *[0] * (count - 1), last or end)

    def ranges(self, index: int, ranges: Sequence[tuple[int, int]], room: int = 0, staged: bool = False) -> None:
        """Set the table of one code index. `staged`: as it is before the load is committed, without its count yet."""
        words = [word for one in ranges for word in one]
        modules = self.image.words(*words, *([0xABAB] * 2 * room))
        count = len(ranges)
        fields = {"modules": modules, "n": 0 if staged else count, "allocated": count + room}
        self.image.struct("ranges", fields, self.r + index * LAYOUT.size("ranges"))
        self.image.poke(self.write_ptr, modules + 8 * len(words))

    def catches(self, index: int, handlers: Sequence[int], size: int = 1024) -> None:
        """Set the table of one code index."""
        entry = LAYOUT.size("beam_catch_t")
        table = self.image.block(size * entry)
        for number, handler in enumerate(handlers):
            self.image.struct("beam_catch_t", {"cp": handler, "cdr": 0xFFFF_FFFF}, table + number * entry)
        fields = {"tabsize": size, "high_mark": len(handlers), "beam_catches": table}
        self.image.struct("bc_pool", fields, self.bccix + index * LAYOUT.size("bc_pool"))

    def functions(self, relative: bool = True) -> None:
        """The functions that use the tables, and other variables too."""
        active, staging = (self.image.symbols[f"the_{name}_code_index"] for name in ("active", "staging"))
        common = [(LOAD, staging), (LOAD, active), (LOAD, self.other)]
        for name in RANGE_USERS:
            uses = [*common, (STORE, self.write_ptr), (ADDRESS, self.r)]
            function(self.image, name, uses, relative)
        for name in CATCH_USERS:
            function(self.image, name, [*common, (ADDRESS, self.bccix)], relative)
