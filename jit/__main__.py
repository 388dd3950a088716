"""The command line: ``python -m jit COMMAND ...``."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from jit.beam.errors import BeamError
from jit.beam.module import read_module
from jit.codegen.compile import Native, compile_module
from jit.codegen.elf_file import elf_file
from jit.codegen.rewrite import rewrite
from jit.erts.glue import GlueError, build
from jit.erts.layout import RELEASES, load

_TARGETS = ("arm32",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status: 0, or 1 after a message in one line, or 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except (BeamError, GlueError, OSError) as error:
        print(f"jit: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jit", description="Compile BEAM bytecode to native code.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    target = argparse.ArgumentParser(add_help=False)
    target.add_argument("--target", choices=_TARGETS, default="arm32", help="what to compile for (%(default)s)")
    target.add_argument("--otp", type=int, choices=RELEASES, default=27, help="release of Erlang/OTP (%(default)s)")

    command = commands.add_parser("compile", parents=[target], help="write .beam files that carry native code")
    command.add_argument("files", metavar="FILE|DIR", nargs="+", type=Path)
    command.add_argument("-o", dest="out", metavar="DIR", type=Path, default=Path(), help="where to write them")
    command.add_argument("--stress", action="store_true", help="collect garbage and yield wherever that can happen")
    command.set_defaults(run=_compile)

    command = commands.add_parser("elf", parents=[target], help="write the native code of a .beam file as ELF")
    command.add_argument("file", metavar="FILE", type=Path)
    command.add_argument("-o", dest="out", metavar="OUT", type=Path, required=True)
    command.set_defaults(run=_elf)

    command = commands.add_parser("coverage", parents=[target], help="count what keeps functions interpreted")
    command.add_argument("files", metavar="FILE|DIR", nargs="+", type=Path)
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=_coverage)

    command = commands.add_parser("glue", help="build what a node needs to run native code")
    command.add_argument("-o", dest="out", metavar="DIR", type=Path, default=Path(), help="where to write it")
    command.set_defaults(run=_glue)
    return parser


def _compile(options: argparse.Namespace) -> int:
    """Compile all files; those that cannot be read are told of, and the others are compiled all the same."""
    files = list(_beam_files(options.files))
    options.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for number, path in enumerate(files, 1):
        try:
            module = read_module(path)
        except (BeamError, OSError) as error:
            print(f"jit: {error}", file=sys.stderr)
            failed = 1
            continue
        native = compile_module(module, load(options.otp), stress=options.stress)
        total = len(native.functions) + len(native.interpreted)
        data = rewrite(native, elf_file(native)) if native.functions else path.read_bytes()
        _write(options.out / path.name, data)
        print(f"[{number}/{len(files)}] {path.name}: {len(native.functions)} of {total} functions native")
    return failed


def _elf(options: argparse.Namespace) -> int:
    native: Native = compile_module(read_module(options.file), load(options.otp))
    if not native.functions:
        print(f"jit: {options.file}: none of its functions can be compiled", file=sys.stderr)
        return 1
    _write(options.out, elf_file(native))
    return 0


def _coverage(options: argparse.Namespace) -> int:
    """What keeps functions interpreted, the most frequent first."""
    lacking: Counter[str] = Counter()
    native = total = 0
    for path in _beam_files(options.files):
        compiled = compile_module(read_module(path), load(options.otp))
        native += len(compiled.functions)
        total += len(compiled.functions) + len(compiled.interpreted)
        lacking.update(compiled.interpreted.values())
    share = native / total if total else 0.0
    if options.json:
        print(json.dumps({"functions": total, "native": native, "interpreted": dict(lacking.most_common())}))
        return 0
    print(f"{native} of {total} functions native ({share:.1%})")
    for what, count in lacking.most_common():
        print(f"{count:7}  {what}")
    return 0


def _glue(options: argparse.Namespace) -> int:
    build(options.out)
    return 0


def _beam_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.glob("*.beam"))
        else:
            yield path


def _write(path: Path, data: bytes) -> None:
    """A whole file or none."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
