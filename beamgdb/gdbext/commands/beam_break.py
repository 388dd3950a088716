"""The commands `beam-break` and `beam-breakpoints`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator

import gdb

from beamgdb.code.loaded import LoadedCode
from beamgdb.gdbext import errors, events, front_end, machine_word, older_gdb, session, term_printing
from beamgdb.gdbext.atomvm import breakpoints as atomvm_breakpoints
from beamgdb.gdbext.breakpoints import compiled, interpreted
from beamgdb.gdbext.breakpoints.requests import Request
from beamgdb.gdbext.c_expressions import in_c
from beamgdb.gdbext.commands import completion
from beamgdb.gdbext.commands.command import Command, leading_options
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.style import GdbStyler
from beamgdb.views import breakpoints, process_named, tagged
from beamgdb.views.breakpoints import BreakpointRow
from beamgdb.views.location import BadLocation, LineLocation, parse
from beamgdb.vm.model import Unavailable

_OPTION = re.compile(r"\s*(-temporary|-process\s+(<[^>]*>|'[^']*'|:\"[^\"]*\"|\S+))(?=\s)")
_OPTIONS = re.compile(rf"(?:{_OPTION.pattern})*\s*")


class BeamBreak(Command):
    """Set a breakpoint on an Erlang function or line.

    LOCATION is MODULE:FUNCTION/ARITY or FILE:LINE; the arity may be left out where there is only one, and of a path the
    folders. A module that is not loaded may be loaded later, and one that is loaded anew is followed. Names are quoted
    where Erlang quotes them. Functions of Elixir may be written as there:

        beam-break shop:'-total/2-fun-0-'/2
        beam-break ShopWeb.Cart.add!/2

    CONDITION is an expression of GDB, evaluated in the frame of the Erlang function when it is reached: x0, $_xreg(1),
    $_streq($_eterm(x0), "{tea,2}"). With -process only calls by that process count; PROCESS is a pid, a registered
    name or an address, as for beam-bt. With -temporary the breakpoint is deleted when it is hit.

    It is one of GDB's breakpoints: `delete`, `disable`, `enable`, `ignore`, `commands` and `info breakpoints` work on
    its number. `beam-breakpoints` lists all that were made by this command."""

    name = "beam-break"
    looks = False
    category = gdb.COMMAND_BREAKPOINTS

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-temporary", action="store_true")
        parser.add_argument("-process", metavar="PROCESS", default="")
        parser.add_argument("location", metavar="LOCATION [if CONDITION]", nargs=1)

    def split(self, text: str) -> list[str]:
        """Options, then all the rest as one word."""
        words, rest = leading_options(_OPTION, text)
        return [*words, "--", rest] if rest else words

    def words(self, before: str, start: str) -> Iterable[str]:
        if before.rstrip().endswith("-process"):
            return completion.processes(start)
        return completion.functions(start, with_lines=True) if _OPTIONS.fullmatch(before) else ["if"]

    def run(self, arguments: argparse.Namespace) -> None:
        session.require_beam()
        code = _code()
        try:
            location, condition = parse(arguments.location[0], code)
        except BadLocation as error:
            self.parser.error(str(error))
        missing = location.missing(code, extension().parameters.syntax)
        if missing:
            raise Unavailable(missing)
        trapped = session.is_interpreter()
        process, note = _process(arguments.process)
        request = Request(location, condition, process, trapped)
        number = _new(request, arguments.temporary)
        extension().requests.add(number, request)
        interpreted.breakpoints().requests_changed()
        if not trapped:
            compiled.settle(number, location, code)
            compiled.check_hardware(number)
        kind = "Temporary breakpoint" if arguments.temporary else "Breakpoint"
        syntax = extension().parameters.syntax
        where = breakpoints.where(breakpoints.places(location, code, syntax), GdbStyler())
        pending = f"on {syntax.function(str(location))}, which is not loaded yet"
        gdb.write(f"{kind} {number} {f'in {where}' if where else pending}.\n")
        if isinstance(location, LineLocation):
            _tell_of_next(location, code)
        if note:
            gdb.write(f"Note: {note}; the breakpoint waits for one.\n")

    def in_atomvm(self, arguments: argparse.Namespace) -> None:
        try:
            location, condition = parse(arguments.location[0], LoadedCode())
        except BadLocation as error:
            self.parser.error(str(error))
        if arguments.process:
            self.parser.error("-process is for Erlang/OTP: AtomVM has conditions on C, as `if ctx->process_id == 1`")
        found = location if isinstance(location, LineLocation) else str(location)
        wanted = atomvm_breakpoints.Wanted(found, condition, arguments.temporary)
        for line in atomvm_breakpoints.set_at(wanted):
            gdb.write(line + "\n")


class BeamBreakpoints(Command):
    """List the breakpoints that beam-break has set.

    As `info breakpoints` does, with its numbers, but by Erlang functions also where code is interpreted. -json prints
    an array of objects."""

    name = "beam-breakpoints"
    looks = False
    category = gdb.COMMAND_BREAKPOINTS

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-json", "--json", action="store_true")

    def run(self, arguments: argparse.Namespace) -> None:
        _write(_rows(_code()), arguments)

    def in_atomvm(self, arguments: argparse.Namespace) -> None:
        _write(atomvm_breakpoints.rows(), arguments)


def _write(rows: Iterable[BreakpointRow], arguments: argparse.Namespace) -> None:
    for line in tagged.lines(rows) if arguments.json else breakpoints.lines(rows, GdbStyler()):
        gdb.write(line + "\n")


def _rows(code: LoadedCode) -> Iterator[BreakpointRow]:
    syntax = extension().parameters.syntax
    for point, request in extension().requests.all():
        yield BreakpointRow(
            point.number,
            point.temporary,
            point.enabled,
            point.hit_count,
            syntax.function(str(request.location)),
            breakpoints.places(request.location, code, syntax),
            request.process or None,
            request.condition or None,
            point.ignore_count,
        )


def _code() -> LoadedCode:
    """The code that is loaded; none before the program runs."""
    return session.require().node.code if session.find() is not None else LoadedCode()


def _tell_of_next(location: LineLocation, code: LoadedCode) -> None:
    """Tell of the line that was taken for one that has no code; or of one that is near, for it may never have any."""
    moved = location.moved(code, extension().parameters.syntax)
    found = location.next_line(code) if not location.addresses(code) else None
    if moved is not None:
        gdb.write(f"Note: {moved}.\n")
    elif found is not None:
        where = f"line {found[0]}, in {term_printing.function(found[1])}"
        gdb.write(f"Note: the next line with code in what is loaded of {location.file} is {where}.\n")


def _process(text: str) -> tuple[str, str]:
    """A process as `process_named.to_come` gives it, nothing where none was given. Raises `Unavailable`."""
    if not text:
        return "", ""
    current = session.find()
    if (current is None or not current.is_settled) and not process_named.is_pid(text):
        return process_named.name_of(text), ""  # the VM has not begun: no process has a name yet
    return process_named.to_come(session.require().node, text, machine_word.evaluated)


def _new(request: Request, temporary: bool) -> int:
    """Make GDB's breakpoint; its number."""
    older_gdb.sound(request.condition)
    wanted = request.wanted
    if request.trapped:
        where = interpreted.breakpoints().make_place()
        wanted = interpreted.condition(request)
    else:
        where = compiled.location_text(request.location, _code())
    extension().requests.is_making_one = True
    try:
        with compiled.pending(), in_c():
            command = "tbreak" if temporary else "break"
            front_end.followed(f"{command} {where}{f' if {wanted}' if wanted else ''}")
    finally:
        extension().requests.is_making_one = False
    return int(gdb.convenience_variable("bpnum") or 0)


def _forget(point: gdb.Breakpoint) -> None:
    if extension().requests.of(point.number) is not None:
        extension().requests.remove(point.number)
        interpreted.breakpoints().request_removed()


def _settle() -> None:
    """Code has been loaded or unloaded, and GDB has moved its breakpoints."""
    code = _code()
    for point, request in extension().requests.all():
        if not request.trapped and not compiled.settle(point.number, request.location, code):
            place = term_printing.function(str(request.location))
            gdb.write(f"beamgdb: breakpoint {point.number} is not at {place}: set it anew\n", gdb.STDERR)


def install() -> None:
    """Define the commands."""
    BeamBreak()
    BeamBreakpoints()
    events.on_code_change(_settle, lambda: False, lambda: False)
    gdb.events.breakpoint_deleted.connect(lambda point: errors.guarded(lambda: _forget(point)))
