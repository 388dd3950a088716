"""The command `beam-crashdump`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import gdb

from beamgdb.gdbext import session, stop_reason
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.terms.quoting import bare
from beamgdb.views import why
from beamgdb.vm.model import Unavailable
from jit.system import whole_files


class BeamCrashdump(Command):
    """Write a crash dump of the node, for OTP's crashdump_viewer.

    FILE is what the node itself would have written as erl_crash.dump: processes with stacks, messages, dictionaries,
    links and monitors; ports, timers of messages, ETS tables without their objects, modules, atoms. What is not known
    is left out. Memory of a process is its structure and heaps; as in the node's own dumps there is no stack, and
    nothing else on heaps, of processes that exit, collect garbage or are sensitive (process_flag/2).

    It gets its name when it is complete, and only you may read it: it holds all that the node had in its heaps. A file
    of that name is not overwritten, but with -force it is replaced.

    To open it: erl -s crashdump_viewer, or `cdv FILE`."""

    name = "beam-crashdump"
    category = gdb.COMMAND_SUPPORT
    completer = gdb.COMPLETE_FILENAME

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-force", action="store_true")
        parser.add_argument("file", metavar="FILE")

    def run(self, arguments: argparse.Namespace) -> None:
        # Not before it is needed: it is much, and few ask for it.
        from beamgdb.crashdump import dump

        path, node = Path(arguments.file).expanduser(), session.require().node
        running, start = Running(node), time.monotonic()
        slogan = f"Written by beamgdb. {why.headline(stop_reason.stop(node, node.memory))}"
        try:
            with whole_files.new_file(path, replace=arguments.force) as file:
                with ProgressLine("pieces", 0) as progress:
                    written = dump.write(
                        node, slogan, running.stack_top, lambda text: file.write(text.encode()), progress.advance
                    )
                size = file.tell()
        except FileExistsError:
            raise Unavailable(f"{bare(str(path))} is there already: name another file, or give -force") from None
        except OSError as error:
            raise Unavailable(f"{bare(str(path))} cannot be written: {error.strerror or error}") from None
        tables = f" {written.tables} {dump.TABLES}," if dump.TABLES not in written.unknown else ""
        gdb.write(
            f"{bare(str(path))}: {written.processes} processes,{tables} {size / 1e6:.1f} MB, in "
            f"{time.monotonic() - start:.1f} s\n"
        )
        if written.unknown:
            gdb.write(f"(left out, for it is not known where this VM has them: {', '.join(written.unknown)})\n")
        for count, what in (
            (written.damaged, "processes, or parts of them, ports, tables or timers, cannot be read"),
            (written.left_out, "objects on heaps cannot be read, or are not known"),
        ):
            if count:
                gdb.write(f"({count} {what})\n")


def install() -> None:
    """Define the command."""
    BeamCrashdump()
