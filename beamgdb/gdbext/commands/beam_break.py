"""The commands `beam-break` and `beam-breakpoints`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import gdb

from beamgdb.gdbext import session
from beamgdb.gdbext.breakpoints import interpreted, native, requests
from beamgdb.gdbext.breakpoints.location import BadLocation, parse
from beamgdb.gdbext.breakpoints.process_condition import PROCESS
from beamgdb.gdbext.breakpoints.requests import Request
from beamgdb.gdbext.commands import completion
from beamgdb.gdbext.commands.beam_bt import PID, find_process
from beamgdb.gdbext.commands.command import Command, leading_options
from beamgdb.gdbext.style import function, source
from beamgdb.vm.code import CodeIndex
from beamgdb.vm.node import Unavailable

_OPTION = re.compile(r"\s*(-temporary|-process\s+(<[^>]*>|'[^']*'|\S+))(?=\s)")


class BeamBreak(Command):
    """Set a breakpoint on an Erlang function or line.

    LOCATION is MODULE:FUNCTION/ARITY or FILE:LINE; the arity may be left out where there is only one. A module that is
    not loaded may be loaded later, and one that is loaded anew is followed. Names are quoted where Erlang quotes them:
    beam-break shop:'-total/2-fun-0-'/2

    CONDITION is an expression of GDB, evaluated in the frame of the Erlang function when it is reached: x0, $_xreg(1),
    $_streq($_eterm(x0), "{tea,2}"). With -process only calls by that process count; PROCESS is a pid or a registered
    name. With -temporary the breakpoint is deleted when it is hit.

    It is one of GDB's breakpoints: `delete`, `disable`, `enable`, `ignore`, `commands` and `info breakpoints` work on
    its number. `beam-breakpoints` lists all that were made by this command."""

    name = "beam-break"
    category = gdb.COMMAND_BREAKPOINTS
    completer = None

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-temporary", action="store_true")
        parser.add_argument("-process", metavar="PROCESS", default="")
        parser.add_argument("location", metavar="LOCATION [if CONDITION]", nargs=1)

    def split(self, text: str) -> list[str]:
        """Options, then all the rest as one word."""
        words, rest = leading_options(_OPTION, text)
        return [*words, "--", rest] if rest else words

    def complete(self, text: str, word: str) -> list[str]:
        return completion.functions(text, word)

    def run(self, arguments: argparse.Namespace) -> None:
        if not session.is_beam():
            raise Unavailable("this program is no beam.smp")
        code = _code()
        try:
            location, condition = parse(arguments.location[0], code)
        except BadLocation as error:
            self.parser.error(str(error))
        missing = location.missing(code)
        if missing:
            raise Unavailable(missing)
        trapped = interpreted.is_interpreter()
        request = Request(location, condition, _process(arguments.process), trapped)
        number = _new(request, arguments.temporary)
        requests.add(number, request)
        interpreted.requests_changed()
        if not trapped:
            native.check_hardware(number)
        kind = "Temporary breakpoint" if arguments.temporary else "Breakpoint"
        gdb.write(f"{kind} {number} {_where(request, code) or f'on {location}, which is not loaded yet'}.\n")


class BeamBreakpoints(Command):
    """List the breakpoints that beam-break has set.

    As `info breakpoints` does, with its numbers, but by Erlang functions also where code is interpreted."""

    name = "beam-breakpoints"
    category = gdb.COMMAND_BREAKPOINTS

    def run(self, arguments: argparse.Namespace) -> None:
        code = _code()
        rows = [("Num", "Disp", "Enb", "Hits", "Where"), *_rows(code)]
        if len(rows) == 1:
            gdb.write("No Erlang breakpoints.\n")
            return
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            head = " ".join(f"{cell:<{width}}" for cell, width in zip(row, widths))
            gdb.write(f"{head} {row[4]}\n")


def _rows(code: CodeIndex) -> Iterator[tuple[str, ...]]:
    for point, request in requests.all():
        kind, enabled = "del" if point.temporary else "keep", "y" if point.enabled else "n"
        where = _where(request, code) or f"pending: {request.location}"
        notes = [f"process {request.process}"] if request.process else []
        notes += [f"if {request.condition}"] if request.condition else []
        notes += [f"ignore next {point.ignore_count}"] if point.ignore_count else []
        text = ", ".join((where.removeprefix("in "), *notes))
        yield str(point.number), kind, enabled, str(point.hit_count), text


def _code() -> CodeIndex:
    """The code that is loaded; none before the program runs."""
    return session.require().node.code if session.find() is not None else CodeIndex()


def _process(text: str) -> str:
    """A process as it is compared with those that come by: a pid in full, or a name, which may be registered later.
    Raises `Unavailable` for a pid that is not there."""
    if not PID.fullmatch(text):
        return text.strip("'")
    node = session.require().node
    return node.term(find_process(node, text).id)


def _new(request: Request, temporary: bool) -> int:
    """Make GDB's breakpoint; its number."""
    wanted = request.condition
    if request.process:
        own = f'${PROCESS}("{request.process}")'
        wanted = f"{own} && ({wanted})" if wanted else own
    if request.trapped:
        where = interpreted.make_place()
        wanted = interpreted.condition(request.location, wanted)
    else:
        where = native.location_text(request.location)
    with native.pending():
        gdb.execute(f"{'tbreak' if temporary else 'break'} {where}{f' if {wanted}' if wanted else ''}", to_string=True)
    return int(gdb.parse_and_eval("$bpnum"))


def _where(request: Request, code: CodeIndex) -> str:
    """Where a breakpoint is, empty where its module is not loaded."""
    places = []
    for address in request.location.addresses(code):
        place, position = code.find(address), code.where(address)
        name = function(place.code.name) if place else f"{address:#x}"
        lies = f" at {source(position.file, position.line)}" if position else ""
        places.append(f"{name}{lies}")
    return f"in {', '.join(dict.fromkeys(places))}" if places else ""


def _forget(point: gdb.Breakpoint) -> None:
    if requests.of(point.number) is not None:
        requests.remove(point.number)
        interpreted.requests_changed()


def install() -> None:
    """Define the commands."""
    BeamBreak()
    BeamBreakpoints()
    gdb.events.breakpoint_deleted.connect(_forget)
