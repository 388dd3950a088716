"""How the installed Erlang starts its emulator: `erl` is a shell script, and what it runs works the emulator's
arguments out (erts/etc/common/erlexec.c). That is asked for them, so that they are what it would give; what it does
besides, to the environment and for distribution, is done likewise here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from beamgdb.late import dataclass

PROGRAMS = ("erl", "iex", "elixir", "mix")
"""Scripts that start Erlang: `erl`, and those that run it in the end."""

_SECONDS = 60.0
"""For a script to say what it would start."""

_LINE_BREAK = "\x1e"
"""Stands for a line break in an argument: `-emu_args_exit` prints one a line."""

_WRITE_ARGUMENTS = """#!/bin/sh
printf '%s\\0' "$@" > "$BEAMGDB_ARGUMENTS"
"""
"""In the place of `erl`: what it is given."""


_FLAG = re.compile(r"""(?:"[^"]*"?|'[^']*'?|\\.?|[^ "'\\])+""", re.DOTALL)
_QUOTED = re.compile(r"""(["'])(.*?)(?:\1|\Z)|\\(.?)""", re.DOTALL)
"""In variables such as `ERL_FLAGS`: an argument, and what quotes something in one. There is nothing that is refused: a
quote which nothing closes reaches to the end (erlexec.c, `build_args_from_string`)."""


class NotStarted(Exception):
    """What the emulator would be given cannot be told; the text is one line that says why."""


@dataclass(frozen=True)
class Start:
    """A program, its arguments, and its whole environment."""

    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def is_meant(word: str) -> bool:
    """Whether a word of a command line is one of `PROGRAMS`: by its name, or by the path of the script."""
    path = Path(word)
    return path.name in PROGRAMS and (word == path.name or (path.is_file() and path.read_bytes()[:2] == b"#!"))


def start(program: str, arguments: Sequence[str]) -> Start:
    """How `program`, for which `is_meant` holds, would start the emulator with these arguments. Raises `NotStarted`."""
    if Path(program).name == "erl":
        return _erl(program, list(arguments))
    return _erl("erl", _of_script(program, arguments))


def start_epmd(wanted: Start) -> None:
    """Start epmd for a node that is distributed, as `erl` does."""
    emulator = wanted.arguments
    own = emulator[: emulator.index("-extra")] if "-extra" in emulator else emulator
    refused = any(pair == ("-start_epmd", "false") for pair in zip(own, own[1:]))
    if {"-name", "-sname"} & set(own) and not refused:
        epmd = Path(wanted.environment["BINDIR"], "epmd")
        subprocess.run([str(epmd), "-daemon"], stdin=subprocess.DEVNULL, check=False)


def _erl(program: str, arguments: list[str]) -> Start:
    erl = _found(program)
    lines = _said([erl, "-emu_args_exit", *(one.replace("\n", _LINE_BREAK) for one in arguments)])
    (emulator, *_) = _said([erl, "-emu_name_exit", *(one.replace("\n", _LINE_BREAK) for one in arguments)]) or [""]
    root, bindir, name = (_behind(lines, option) for option in ("-root", "-bindir", "-progname"))
    beam = Path(bindir, emulator)
    if not beam.is_file():
        raise NotStarted(f"{erl} names no emulator: {beam}")
    path = [one for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one != bindir]
    own = [bindir] if any(root in one for one in path) else [bindir, f"{root}/bin"]
    environment = {
        **os.environ, **dict(_set_by(arguments)),
        "ROOTDIR": root, "BINDIR": bindir, "PROGNAME": name, "EMU": "beam", "PATH": os.pathsep.join([*own, *path]),
    }  # fmt: skip
    return Start(str(beam), tuple(line.replace(_LINE_BREAK, "\n") for line in lines), environment)


def _of_script(program: str, arguments: Sequence[str]) -> list[str]:
    """What a script runs `erl` with."""
    with tempfile.TemporaryDirectory(prefix="beamgdb-") as folder:
        instead, answer = Path(folder, "erl"), Path(folder, "arguments")
        instead.write_text(_WRITE_ARGUMENTS)
        instead.chmod(0o755)
        path = os.pathsep.join((folder, os.environ.get("PATH", os.defpath)))
        environment = {**os.environ, "PATH": path, "BEAMGDB_ARGUMENTS": str(answer)}
        _try(instead, environment)
        answer.unlink()
        said = _said([_found(program), *arguments], environment)
        if not answer.is_file():
            raise NotStarted(f"{program} starts no Erlang with these arguments: {said[0] if said else 'nothing said'}")
        return answer.read_bytes().decode(errors="surrogateescape").split("\0")[:-1]


def _try(instead: Path, environment: Mapping[str, str]) -> None:
    """A shell that may not run it, as in a folder mounted noexec, takes the next `erl`, and the program runs."""
    try:
        subprocess.run([str(instead)], stdin=subprocess.DEVNULL, env=environment, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        advice = "set TMPDIR to a folder that is not mounted noexec"
        raise NotStarted(f"no program can be run in {instead.parent.parent}: {advice}") from None


def _found(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise NotStarted(f"no {program} on this machine")
    return found


def _said(command: Sequence[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """The lines that a program prints."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=_SECONDS, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotStarted(f"{command[0]} does not tell how it starts Erlang: {error}") from None
    if done.returncode:
        why = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise NotStarted(f"{command[0]} ends with status {done.returncode}: {why[0]}")
    return done.stdout.decode(errors="surrogateescape").removesuffix("\n").split("\n")


def _behind(lines: Sequence[str], option: str) -> str:
    if option not in lines[:-1]:
        raise NotStarted(f"erl does not tell its {option[1:]} (asked with -emu_args_exit)")
    return lines[lines.index(option) + 1]


def _set_by(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What `-env NAME VALUE` sets: of that nothing is left to the emulator."""
    flags = [_flags(os.environ.get(name, "")) for name in ("ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS")]
    for words in (flags[0], arguments, *flags[1:]):
        own = words[: words.index("-extra")] if "-extra" in words else words
        yield from ((name, value) for option, name, value in zip(own, own[1:], own[2:]) if option == "-env")


def _flags(text: str) -> list[str]:
    """The arguments in a variable of the environment."""
    return [_QUOTED.sub(lambda found: found[2] or found[3] or "", flag) for flag in _FLAG.findall(text)]
