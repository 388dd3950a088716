"""Small scripts that run the programs of a sandbox, so that neither users nor Erlang itself need know how.

erlexec and beam.smp start other programs in the folder that BINDIR names. Here that is a folder of scripts: the kernel
cannot run programs for ARM unless binfmt_misc is set up for them, and the unpacked packages stay as they are.
"""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from jit.sandbox.pairs import Pair

#: Environment variables of the script `beam.smp`, for one start: the socket where qemu's stub is to wait for GDB, ...
STUB = "BEAMGDB_STUB"
#: ... and whether only to print the arguments that beam.smp would get, with a NUL behind each.
PRINT_ARGUMENTS = "BEAMGDB_PRINT_ARGUMENTS"

#: Processor that qemu is for arm64: one without pointer authentication. Debian's C code signs return addresses since
#: OTP 29, and the stub of qemu-user 7.2 does not tell GDB which of their bits are the signature.
_ARM64_CPU = "cortex-a72"

_PROGRAMS = ("epmd", "erl_call", "erl_child_setup", "erlexec", "heart", "inet_gethost", "run_erl", "to_erl")

_PROGRAM = """#!/bin/sh
exec {run}{program} "$@"
"""

_ERL = """#!/bin/sh
ROOTDIR={otp} BINDIR={bin} EMU=beam PROGNAME=erl
export ROOTDIR BINDIR EMU PROGNAME
exec {bin}/erlexec "$@"
"""

# erlc and escript start the emulator that these variables name.
_STARTS_ERL = """#!/bin/sh
ERLC_EMULATOR={bin}/erl ESCRIPT_EMULATOR={bin}/erl
export ERLC_EMULATOR ESCRIPT_EMULATOR
exec {run}{program} "$@"
"""

# erl_child_setup closes every descriptor that it might have, one by one, which takes seconds under qemu if there may be
# a million.
_BEAM = f"""#!/bin/sh
if [ "${PRINT_ARGUMENTS}" ]; then
    printf '%s\\0' "$@"
    exit
fi
stub=${STUB}
unset {STUB}
{{settings}}[ "$(ulimit -Sn)" -le 1024 ] 2>/dev/null || ulimit -Sn 1024
exec {{run}}{{program}} "$@"
"""


def write_scripts(folder: Path, pair: Pair, final: Path) -> None:
    """Write the scripts into `folder`/bin; `final` is the path that `folder` will have when all is done."""
    root, otp, bindir = final / "root", final / "root/usr/lib/erlang", final / "bin"
    programs = next((folder / "root/usr/lib/erlang").glob("erts-*/bin"))
    real = final / programs.relative_to(folder)
    run = f"{pair.machine.qemu} -L {quote(str(root))} " if pair.machine.qemu else ""
    settings = "".join(f"export {name}={quote(value)}\n" for name, value in own_environment(pair, root).items())
    (folder / "bin").mkdir()

    def write(name: str, text: str, run: str = run) -> None:
        path = folder / "bin" / name
        words = {"run": run, "program": quote(str(real / name)), "bin": quote(str(bindir)), "otp": quote(str(otp))}
        path.write_text(text.format(settings=settings, **words))
        path.chmod(0o755)

    for name in _PROGRAMS:
        if (programs / name).is_file():
            write(name, _PROGRAM)
    for name in ("erlc", "escript"):
        write(name, _STARTS_ERL)
    write("erl", _ERL)
    write("beam.smp", _BEAM, run.replace(" ", ' ${stub:+-g "$stub"} ', 1))


def own_environment(pair: Pair, root: Path) -> dict[str, str]:
    """Environment variables that beam.smp needs besides those that `erl` sets."""
    if pair.machine.qemu:
        return {"QEMU_CPU": _ARM64_CPU} if pair.arch == "arm64" else {}
    # OpenSSL loads these by their full path, which qemu takes as one below the root.
    return {"OPENSSL_MODULES": str(root / "usr/lib" / pair.machine.triplet / "ossl-modules")}
