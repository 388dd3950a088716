"""Build the glue: the library ``native.so``, by Debian's cross compiler, and the module ``native``, by erlc."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from jit.erts.layout import ARRAYS, BUILD, RELEASES, Layout, load

COMPILER: Final = "arm-linux-gnueabihf-gcc"
SOURCES: Final = Path(__file__).with_name("glue")
#: erl_nif.h of any release and architecture will do: the glue uses only what they have in common.
INCLUDE: Final = Path("/usr/lib/erlang/usr/include")
#: Where Debian has the programs.
_PACKAGES: Final = {COMPILER: "gcc-arm-linux-gnueabihf", "erlc": "erlang-base"}
_FLAGS: Final = (
    "-std=gnu11 -O2 -g -Wall -Wextra -Werror -march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -fPIC -shared "
    "-fvisibility=hidden -Wl,-z,noexecstack -Wl,-z,now".split()
)


class GlueError(Exception):
    """The glue cannot be built. The message is one line."""


def build(folder: Path) -> None:
    """Write native.so and native.beam into *folder*. Raises GlueError."""
    if not INCLUDE.joinpath("erl_nif.h").is_file():
        raise GlueError(f"{INCLUDE}/erl_nif.h is not there: install Debian's package erlang-dev")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".native-") as name:
        work = Path(name)
        work.joinpath("layouts.h").write_text(layouts_header(), encoding="utf-8")
        sources = sorted(map(str, SOURCES.glob("*.c")))
        _run([COMPILER, *_FLAGS, f"-I{work}", f"-I{INCLUDE}", *sources, "-o", str(work / "native.so")])
        _run(["erlc", "+debug_info", "-o", name, str(SOURCES / "native.erl")])
        for product in ("native.so", "native.beam"):
            work.joinpath(product).replace(folder / product)


def layouts_header() -> str:
    """The tables of layouts as C."""
    layouts = [load(otp) for otp in RELEASES]
    names = [_c_name(name) for name in layouts[0].fields if all(name in layout.fields for layout in layouts)]
    quoted = [_quoted(name) for name in layouts[0].fields if _c_name(name) in names]
    sizes = "".join(f" size_{name}," for name in ARRAYS).rstrip(",")
    lines = [
        "/* Made by jit/erts/glue.py. */",
        f"enum {{ {', '.join(names)}, FIELD_COUNT }};",
        f"enum {{ BUILD_COUNT = {len(BUILD)} }};",
        "struct layout {",
        "    const char *erts, *arch, *identity;",
        "    int build[BUILD_COUNT];",
        f"    unsigned short{sizes}, offset[FIELD_COUNT];",
        "};",
        "static const struct layout layouts[] __attribute__((unused)) = {",
        *(_row(layout, names) for layout in layouts),
        "};",
        f"static const char *const field_names[] __attribute__((unused)) = {{{', '.join(quoted)}}};",
        f"static const char *const build_names[] __attribute__((unused)) = {{{', '.join(map(_quoted, BUILD))}}};",
    ]
    return "\n".join(lines) + "\n"


def _row(layout: Layout, names: list[str]) -> str:
    sizes = ", ".join(str(layout.sizes[name]) for name in ARRAYS)
    places = {_c_name(name): field.offset for name, field in layout.fields.items()}
    offsets = ", ".join(f"[{name}] = {places[name]}" for name in names)
    told = ", ".join(map(_quoted, (layout.erts, layout.arch, layout.identity)))
    build = ", ".join(str(layout.build[name]) for name in BUILD)
    return f"    {{{told}, {{{build}}}, {sizes}, {{{offsets}}}}},"


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
