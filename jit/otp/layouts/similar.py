"""Where fields lie in a VM, from a beam.smp of a similar build that has debug information.

Structures follow the source, the options of the build and the C compiler's target. What two builds tell of themselves
is compared: where they may differ in structures the file is of no use, the rest is told.
"""

from __future__ import annotations

from pathlib import Path

from jit.otp.layouts.dwarf import NoDebugInfo, open_types
from jit.otp.layouts.executable import BadExecutable, Executable
from jit.otp.layouts.extract import FLAGS, SIZES
from jit.otp.layouts.identity import Identity, read_config_h, read_identity
from jit.otp.layouts.layout import Layout, of_identity
from jit.otp.layouts.resolve import resolve
from jit.otp.layouts.wanted import all_c_names
from jit.system.command_line import told

#: What must be the same of two builds, and how it is called.
SAME = {
    "otp_release": "OTP",
    "arch": "the architecture",
    "word_size": "words of so many bytes:",
    "flavour": "the flavour",
    "build": "the kind of build",
    "options": "options",
}


class NotSimilar(ValueError):
    """The file is of no use for a VM; the message is one line that says why."""


def of_file(path: Path, identity: Identity, build_id: str | None, config: str | None) -> Layout:
    """The layout that the debug information of a beam.smp gives for a VM, of which it is said who it is and its build
    id and config.h are given as far as they are known. `origin` of the layout tells how the builds differ.

    Raises `NotSimilar`.
    """
    try:
        executable = Executable(path)
        is_same = executable.build_id is not None and executable.build_id == build_id
        difference = "the program's own build" if is_same else _difference(executable, identity, config)
        types = open_types(path, all_c_names())
    except (BadExecutable, NoDebugInfo) as error:
        raise NotSimilar(f"{path}: {error}".replace(f"{path}: {path}", str(path))) from error
    except OSError as error:
        raise NotSimilar(told(error)) from error
    except NotSimilar as error:
        raise NotSimilar(f"{path}: {error}") from None
    if types.word_size != identity.word_size:
        raise NotSimilar(f"{path}: its words have {types.word_size} bytes, the program's {identity.word_size}")
    resolution = resolve(types)
    if resolution.missing:
        raise NotSimilar(f"{path}: not in its debug information: {', '.join(resolution.missing)}")
    origin = f"debug information of {path}, {difference}"
    return of_identity(resolution.structs, resolution.constants, identity, origin)


def _difference(executable: Executable, identity: Identity, config: str | None) -> str:
    """In what another build differs from the program's. Raises `NotSimilar`."""
    theirs = read_identity(executable.read, executable.symbol)
    for name, words in SAME.items():
        found, wanted = getattr(theirs, name), getattr(identity, name)
        if found is None:
            why = theirs.unknown.get(name, "unknown")
            raise NotSimilar(f"its build id is not that of the program, and it does not tell {words}: {why}")
        if found != wanted:
            raise NotSimilar(f"not similar to the program: {words} {_text(found)}, the program's {_text(wanted)}")
    differences: list[str] = []
    if theirs.erts_version != identity.erts_version:
        differences.append(f"erts {theirs.erts_version or 'unknown'}, this is {identity.erts_version or 'unknown'}")
    lines = _config_lines(read_config_h(executable.read, executable.symbol, theirs)) ^ _config_lines(config)
    if config is None:
        differences.append("the program's config.h is unknown")
    elif sizes := sorted(line for line in lines if SIZES.match(line)):
        raise NotSimilar(f"not similar to the program: {'; '.join(sizes)}")
    elif lines:
        differences.append(f"{len(lines)} lines of config.h differ")
    return f"another build: {', '.join(differences) or 'no difference found'}"


def _config_lines(config: str | None) -> set[str]:
    return {line for line in (config or "").splitlines() if not FLAGS.match(line)}


def _text(found: object) -> str:
    return ("with " + " ".join(sorted(found)) if found else "none") if isinstance(found, frozenset) else str(found)
