"""Build the glue: the library ``native.so``, by Debian's cross compiler, and the module ``native``, by erlc."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from jit.arm32.cpus import ARMV7_A, Cpu
from jit.erts.hidden.builds import BUILD_ID_SIZE, COMPARED, Build, known
from jit.erts.hidden.symbols import VARIABLES
from jit.erts.layout import RELEASES, SIZED, NativeLayout, load
from jit.erts.parts import BYTECODE_CHUNK, CHECKSUM_CHUNK, CHUNK, ENTRIES_SECTION, LAYOUT_SECTION, PROCESSOR_SECTION
from jit.otp import native_abi, tags
from jit.otp.erlc import FOR_ALL

COMPILER: Final = "arm-linux-gnueabihf-gcc"
SOURCES: Final = Path(__file__).with_name("glue")
#: erl_nif.h of any release and architecture will do: the glue uses only what they have in common.
INCLUDE: Final = Path("/usr/lib/erlang/usr/include")
#: Where Debian has the programs.
_PACKAGES: Final = {COMPILER: "gcc-arm-linux-gnueabihf", "erlc": "erlang-base"}
_FLAGS: Final = (
    "-std=gnu11 -O2 -g -Wall -Wextra -Werror -mfloat-abi=hard -fPIC -shared -fvisibility=hidden -nostdlib "
    "-Wl,-z,noexecstack -Wl,-z,now".split()
)


class GlueError(Exception):
    """The glue cannot be built. The message is one line."""


def build(folder: Path, cpu: Cpu = ARMV7_A) -> None:
    """Write native.so, for a processor, and native.beam into *folder*. Raises GlueError.

    Only our own code is in native.so: what Debian's compiler would add of its own is for ARMv7.
    """
    if not INCLUDE.joinpath("erl_nif.h").is_file():
        raise GlueError(f"{INCLUDE}/erl_nif.h is not there: install Debian's package erlang-dev")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".native-") as name:
        work = Path(name)
        write_facts(work)
        sources = sorted(map(str, SOURCES.glob("*.c")))
        flags = [*_FLAGS, *cpu.flags, f"-I{work}", f"-I{INCLUDE}"]
        _run([COMPILER, *flags, *sources, "-lc", "-o", str(work / "native.so")])
        _run(["erlc", *FOR_ALL, "+debug_info", "-I", name, "-o", name, str(SOURCES / "native.erl")])
        for product in ("native.so", "native.beam"):
            work.joinpath(product).replace(folder / product)


def write_facts(folder: Path) -> None:
    """Write what the sources include."""
    folder.joinpath("layouts.h").write_text(_layouts_header(), encoding="utf-8")
    folder.joinpath("facts.hrl").write_text(_definitions(), encoding="utf-8")


def _facts() -> dict[str, int]:
    """What the glue knows of terms, processes and native functions in all releases, by the name that C and Erlang have
    for it."""
    terms = {name: getattr(tags, name) for name in ("PRIMARY_MASK", "BOXED", "HEADER_MASK", "TUPLE_HEADER", "NIL")}
    flags = set.intersection(*(set(load(otp).flags.items()) for otp in RELEASES))
    words = {name: getattr(native_abi, name) for name in ("WAY_IN", "LIBRARY", "PLACE")}
    return (
        {f"TAG_{name}": number for name, number in terms.items()}
        | {f"NATIVE_{name}": number for name, number in words.items()}
        | dict(sorted(flags))
    )


#: Names of what the compiler writes, as C has them.
_NAMES: Final = {
    "NATIVE_CHUNK": CHUNK,
    "BYTECODE_CHUNK": BYTECODE_CHUNK,
    "CHECKSUM_CHUNK": CHECKSUM_CHUNK,
    "ENTRIES_SECTION": ENTRIES_SECTION,
    "LAYOUT_SECTION": LAYOUT_SECTION,
    "PROCESSOR_SECTION": PROCESSOR_SECTION,
}


def _definitions() -> str:
    """The facts as Erlang."""
    return "".join(f"-define({name}, {number}).\n" for name, number in _facts().items())


def _layouts_header() -> str:
    """The tables of layouts, and what is known besides, as C."""
    layouts = [load(otp) for otp in RELEASES]
    builds = known()
    shared = [name for name in layouts[0].fields if all(name in layout.fields for layout in layouts)]
    names, quoted = [*map(_c_name, shared)], [*map(_quoted, shared)]
    sizes = "".join(f" size_{name}," for name in SIZED).rstrip(",")
    lines = [
        "/* Made by jit/erts/glue.py. */",
        *(f"#define {name} ({number})" for name, number in _facts().items()),
        *(f"#define {name} {_quoted(text)}" for name, text in _NAMES.items()),
        f"enum {{ {', '.join(names)}, FIELD_COUNT }};",
        "struct told { const char *name; int number, always; };",
        "struct layout {",
        "    const char *erts, *arch, *identity;",
        f"    struct told told[{1 + max(len(layout.build) + len(layout.tags) for layout in layouts)}];",
        f"    unsigned short{sizes}, offset[FIELD_COUNT];",
        "};",
        "static const struct layout layouts[] __attribute__((unused)) = {",
        *(_row(layout, names) for layout in layouts),
        "};",
        f"enum {{ COMPARED = {COMPARED} }};",
        "struct place { const char *name; unsigned long address; int is_code; };",
        "struct build {",
        "    const char *erts;",
        f"    unsigned char id[{BUILD_ID_SIZE}];",
        "    unsigned long sums[2];",
        f"    struct place places[{1 + max((len(build.places) for build in builds), default=0)}];",
        "};",
        "static const struct build builds[] __attribute__((unused)) = {",
        *(_build_row(build) for build in builds),
        "};",
        f"static const char *const field_names[] __attribute__((unused)) = {{{', '.join(quoted)}}};",
    ]
    return "\n".join(lines) + "\n"


def _row(layout: NativeLayout, names: list[str]) -> str:
    sizes = ", ".join(str(layout.sizes[name]) for name in SIZED)
    places = {_c_name(name): field.offset for name, field in layout.fields.items()}
    offsets = ", ".join(f"[{name}] = {places[name]}" for name in names)
    texts = ", ".join(map(_quoted, (layout.erts, layout.arch, layout.identity)))
    told = ", ".join(
        f"{{{_quoted(name)}, {number}, {int(numbers is layout.build)}}}"
        for numbers in (layout.build, layout.tags)
        for name, number in numbers.items()
    )
    return f"    {{{texts}, {{{told}}}, {sizes}, {{{offsets}}}}},"


def _build_row(build: Build) -> str:
    """Places are in their order: so the glue adds up the code there."""
    identity = ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(build.build_id))
    ordered = sorted(build.places.items(), key=lambda place: place[1])
    places = ", ".join(f"{{{_quoted(name)}, {address:#x}, {int(name not in VARIABLES)}}}" for name, address in ordered)
    sums = ", ".join(f"{one:#x}" for one in build.sums)
    return f"    {{{_quoted(build.erts)}, {{{identity}}}, {{{sums}}}, {{{places}}}}},"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _c_name(name: str) -> str:
    return name.replace(".", "_")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        package = _PACKAGES[command[0]]
        raise GlueError(f"cannot run {command[0]}: {error.strerror}: install Debian's package {package}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise GlueError(f"{command[0]} failed: {said[0]}")
