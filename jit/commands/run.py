"""``run``: a program compiled and run natively, in Debian's Erlang for 32-bit ARM under qemu."""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jit.beam.module import Module
from jit.beam.text import atom_text
from jit.commands import arguments, targets
from jit.commands.beam_files import read_plain, write_whole
from jit.commands.compile import compile_file
from jit.commands.errors import CommandError, told
from jit.erts import boot
from jit.erts.glue import build
from jit.system.command_line import complain
from jit.system.file_names import NoFileName, file_name

if TYPE_CHECKING:
    from jit.sandbox import Sandbox

_DESCRIPTION = """\
Compile a module and run it natively, in Debian's unmodified Erlang for 32-bit ARM under qemu-user. That Erlang is
fetched when it is used for the first time (see `python -m beamgdb.sandbox --help`); it compiles FILE.erl too.

Of the functions that the module exports the first of these is called:

  main/1    with ARGS, a list of strings; then the node halts, with status 0
  main/0    if there are no ARGS; then the node halts, with status 0
  start/0   if there are no ARGS; the node goes on until it halts itself

An exception is told on standard error, and the status is 127, as of escript. Other modules are sought in the folder of
FILE and in the current one; they, and those of Erlang/OTP, are interpreted, but for those in the folder of --system.
Options come before FILE: what is behind it is for the program.

With --gdb the node runs under GDB with the extension for Erlang, connected before the node's first instruction:

  {program} run fib.erl 27
  {program} run --otp 25 --call 'shop:total([1, 2])' shop.beam
  {program} run --gdb -ex 'break fib:fib/1' -ex continue fib.erl 27"""

#: What is called where the module exports it, by the number of ARGS; then the node halts, or does not.
_MAIN, _PLAIN_MAIN, _START = ("main", 1), ("main", 0), ("start", 0)

_EXPRESSION = """\
try %s of _ -> %s
catch
    Class:Reason:Stack ->
        io:put_chars(standard_error, [erl_error:format_exception(Class, Reason, Stack), $\\n]),
        halt(127)
end."""
#: The same of an expression that may be none; it is a list of characters.
_CALL = """\
Parsed =
    case erl_scan:string([%s]) of
        {ok, Tokens, _} -> erl_parse:parse_exprs(Tokens);
        {error, Error, _} -> {error, Error}
    end,
case Parsed of
    {ok, Expressions} ->
        %s
    {error, {_, Module, Why}} ->
        io:format(standard_error, "jit: --call: ~ts~n", [Module:format_error(Why)]),
        halt(2)
end."""


def add_to(commands: arguments.Commands) -> None:
    """Declare the command."""
    usage = f"{arguments.PROGRAM} run [OPTIONS] FILE [ARGS ...]"
    parser = arguments.add(commands, "run", "compile a program and run it natively", _DESCRIPTION, usage=usage)
    arguments.add_release(parser, default=targets.ERTS.usual)
    parser.add_argument("--call", metavar="EXPRESSION", help="what to evaluate instead; then the node halts")
    text = "a folder with the glue, its boot script and native modules of Erlang/OTP: see `glue --help`"
    parser.add_argument("--system", metavar="DIR", type=Path, help=text)
    parser.add_argument("--gdb", action="store_true", help="run it under gdb-multiarch")
    text = "with --gdb: a command of GDB (may be repeated)"
    parser.add_argument("-ex", dest="commands", metavar="COMMAND", action="append", default=[], help=text)
    parser.add_argument("--batch", action="store_true", help="with --gdb: GDB ends after these commands")
    parser.add_argument("file", metavar="FILE", type=Path, help="FILE.erl or FILE.beam")
    rest = parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="arguments of the program")
    rest.required = False  # only in what a message about the lack of FILE says
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the program; its exit status, or GDB's."""
    # The compiler itself works without the rest of the project.
    from jit.sandbox import Sandbox, SandboxError

    if (options.commands or options.batch) and not options.gdb:
        raise CommandError("-ex and --batch are for GDB: give --gdb too")
    try:
        sandbox = Sandbox("armhf", options.otp)
        sandbox.check_runnable()
        sandbox.ensure()
        with tempfile.TemporaryDirectory(prefix="jit-") as name:
            return _run_in(Path(name), sandbox, options)
    except SandboxError as error:
        raise CommandError(told(error)) from None


def _run_in(folder: Path, sandbox: Sandbox, options: argparse.Namespace) -> int:
    beam = options.file
    if beam.suffix == ".erl":
        beam = _erlc(sandbox, options.file, folder)
    module = read_plain(beam)
    name = _file_name(module)
    expression = _expression(module, options)
    native = folder / "native"
    native.mkdir()
    compiled = compile_file(beam, wanted=[targets.Wanted(otp=options.otp)])
    if not compiled.native:
        complain("jit", f"{options.file}: all of it is interpreted: `coverage` tells why")
    write_whole(native / name, compiled.data)
    elsewhere = list(dict.fromkeys([str(options.file.absolute().parent), str(Path.cwd())]))
    words = ["-noshell", *_glue(options.system, native), "-pa", str(native), "-pz", *elsewhere]
    words += ["-eval", expression, "-extra", *options.arguments]
    return _under_gdb(options, words) if options.gdb else _to_the_end(sandbox.command(["+Bd", *words]))


def _file_name(module: Module) -> str:
    """What the node takes the module's file to be called. Raises CommandError."""
    told = atom_text(module.name)
    if module.name == boot.NAME:
        raise CommandError(f"{module.file}: the module {told} has the name of the glue's own")
    try:
        return file_name(module.name, ".beam")
    except NoFileName as error:
        raise CommandError(f"{module.file}: no file can have the name of the module {told:.60}: {error}") from None


def _glue(system: Path | None, folder: Path) -> list[str]:
    """Arguments of ``erl`` that load the glue, which is built into *folder* if there is no *system*."""
    if system is None:
        build(folder)
        return ["-s", boot.NAME]
    if not (system / f"{boot.NAME}.boot").is_file():
        raise CommandError(f"{system}: there is no {boot.NAME}.boot: make it with `glue -o {system} --boot ...`")
    return boot.arguments(system)


def _erlc(sandbox: Sandbox, source: Path, folder: Path) -> Path:
    """Compile by the compiler of the release; the .beam file. Raises CommandError when it has told what is wrong."""
    if not source.is_file():
        raise CommandError(f"{source}: No such file or directory")
    out = folder / "plain"
    out.mkdir()
    # The file's name as it is given, for it stands in stack traces; but no option.
    name = f"./{source}" if str(source).startswith(("-", "+")) else str(source)
    if _to_the_end([str(sandbox.bindir / "erlc"), "+debug_info", "-o", str(out), name]):
        raise CommandError(f"{source}: erlc found errors")
    return out / f"{source.stem}.beam"


def _expression(module: Module, options: argparse.Namespace) -> str:
    """What the node is to evaluate. Raises CommandError when the module exports nothing that could be called."""
    if options.call:
        characters = ",".join(str(ord(one)) for one in f"{options.call.strip().rstrip('.')}.")
        work = _EXPRESSION % ("erl_eval:exprs(Expressions, [])", "halt(0)")
        return _CALL % (characters, f"{work.rstrip('.')};")
    exported = {(entry.function, entry.arity) for entry in module.exports}
    name = atom_text(module.name)
    if _MAIN in exported:
        return _EXPRESSION % (f"{name}:main(init:get_plain_arguments())", "halt(0)")
    if options.arguments:
        raise CommandError(f"{options.file}: exports no main/1, which would get the arguments")
    if _PLAIN_MAIN in exported:
        return _EXPRESSION % (f"{name}:main()", "halt(0)")
    if _START in exported:
        return _EXPRESSION % (f"{name}:start()", "ok")
    raise CommandError(f"{options.file}: exports neither main/1 nor main/0 nor start/0: give --call '{name}:...'")


def _to_the_end(command: Sequence[str]) -> int:
    """Run a program, which gets Ctrl-C itself; its exit status."""
    with subprocess.Popen(command) as process:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                status = process.wait()
                break
    if status == -signal.SIGINT:
        raise KeyboardInterrupt
    return status if status >= 0 else 128 - status


def _under_gdb(options: argparse.Namespace, words: Sequence[str]) -> int:
    from jit.sandbox.command_line import main as sandbox

    folders = [Path(folder) for word, folder in zip(words, words[1:]) if word == "-pa"]
    nifs = [word for folder in folders for word in ("--nifs", str(folder))]
    commands = ["set breakpoint pending on", *options.commands]
    settings = [word for command in commands for word in ("-ex", command)]
    # An option of GDB, unlike its command `directory`, does not take a path apart.
    settings += ["--gdb-arg=-d", f"--gdb-arg={options.file.absolute().parent}"]
    if options.batch:
        settings += ["--gdb-arg=-batch"]
    return sandbox(["gdb", "--arch", "armhf", "--otp", str(options.otp), *nifs, *settings, "--", *words])
