"""The commands `beam-allocators` and `beam-block`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import gdb

from beamgdb.gdbext import machine_word, session
from beamgdb.gdbext.commands.list_command import List, ListCommand, within
from beamgdb.gdbext.commands.options_around import OptionsAround
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.node import Node
from beamgdb.views import allocators
from beamgdb.views.allocators import AllocatorColumns, CarrierColumns, WrongBlocks
from beamgdb.views.typed import brief
from beamgdb.vm.allocators import Allocators


class BeamAllocators(ListCommand[Any]):
    """List the VM's allocators: how much memory they have, and how much of it is used.

    Each with the number of its instances, of carriers with many blocks and with a single one, of those in the pool,
    which any instance may take, the bytes of all carriers, the number of blocks that are in use there, their bytes, and
    how many in a hundred that is: what is left is fragmented, or kept for later. The last row has the
    sums. All is as the VM counts it, and as erlang:system_info({allocator, NAME}) tells. sys_alloc is malloc, of which
    nothing is known.

    ALLOCATOR is a name as eheap_alloc: then its instances are listed, 0 being that of threads that are no schedulers.
    -instances lists those of all. -carriers lists carriers, with the largest block in each that is free; one that is
    taken over was made by another instance. -check goes through all blocks, and lists those that are wrong, as where
    something has been written beyond the end of a block, and carriers that have others than they count: in a program
    that was stopped in the middle of an allocation the one where that happens may be among them.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`. `beam-block ADDRESS` tells who has an address.

    Columns: allocator, instance, instances, multiblock, singleblock, pooled, size, blocks, used, unused, usage,
    address; with -carriers carrier, allocator, instance, kind, state, memory, size, blocks, used, usage, largest,
    address; with -check carrier, allocator, instance, block, wrong."""

    name = "beam-allocators"

    def list(self, node: Node) -> List[Any]:
        shown = AllocatorColumns(node)
        return List(shown.columns, shown.items(), "allocators", shown.notes)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        super().arguments(parser)
        what = parser.add_mutually_exclusive_group()
        what.add_argument("-instances", action="store_true")
        what.add_argument("-carriers", action="store_true")
        what.add_argument("-check", action="store_true")
        parser.add_argument("allocator", metavar="ALLOCATOR", nargs="?")

    def words(self, before: str, start: str) -> Iterable[str] | int:
        if before.split()[-1:] in (["-sort"], ["-where"]):
            return super().words(before, start)
        current = session.find()
        return allocators.names(Allocators(current.node)) if current is not None else ()

    def listed(self, node: Node, arguments: argparse.Namespace) -> List[Any]:
        named = arguments.allocator
        if not arguments.carriers and not arguments.check:
            instances = AllocatorColumns(node, named, arguments.instances)
            return List(instances.columns, instances.items(), "allocators", instances.notes)
        progress = ProgressLine("carriers", 0)
        if arguments.check:
            wrong = WrongBlocks(node, named, progress.advance)
            return List(wrong.columns, within(progress, wrong.items()), "wrong blocks", wrong.notes)
        carriers = CarrierColumns(node, named, progress.advance)
        return List(carriers.columns, within(progress, carriers.items()), "carriers", carriers.notes)


class BeamBlock(OptionsAround):
    """Tell which block of memory an address is in, and whose it is.

    Shown are the block, the carrier that it is in, and the allocator and instance that have that. ADDRESS is an
    expression of GDB. -json prints it as an object."""

    name = "beam-block"
    completer = gdb.COMPLETE_EXPRESSION

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-json", "--json", action="store_true")
        parser.add_argument("address", metavar="ADDRESS")

    def words(self, before: str, start: str) -> Iterable[str] | int:
        return self.completer

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        address = machine_word.evaluated(arguments.address)
        if address is None:
            raise gdb.GdbError(f"beam-block: {brief(arguments.address)} is no address")
        row = allocators.held(node, address & node.memory.address_mask)
        if arguments.json:
            gdb.write(json.dumps(asdict(row)) + "\n")
        else:
            gdb.write("".join(f"{line}\n" for line in allocators.held_lines(row, node.memory.word_size)))


def install() -> None:
    """Define the commands."""
    BeamAllocators()
    BeamBlock()
