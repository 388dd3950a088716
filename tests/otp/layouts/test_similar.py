"""Whether a beam.smp with debug information is of use for a VM of another build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from jit.otp.layouts.executable import Executable
from jit.otp.layouts.identity import Identity, read_config_h, read_identity
from jit.otp.layouts.layout import Layout, load_table
from jit.otp.layouts.similar import NotSimilar, of_file
from tests.harness import debug_file
from tests.harness.erl import installed_release, missing_programs

pytestmark = pytest.mark.skipif(bool(missing_programs()), reason="Erlang or a C compiler is not installed")

ANOTHER = "00" * 20


@pytest.fixture(scope="module")
def layout() -> Layout:
    found = load_table(installed_release().erts, "x86_64", "jit")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def file(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed beam.smp as if it had not been stripped, by another build."""
    path = tmp_path_factory.mktemp("similar") / "beam.smp"
    debug_file.write(installed_release().beam, layout, path, build_id=bytes.fromhex(ANOTHER))
    return path


@pytest.fixture(scope="module")
def identity(file: Path) -> Identity:
    executable = Executable(file)
    return read_identity(executable.read, executable.symbol)


@pytest.fixture(scope="module")
def config(file: Path, identity: Identity) -> str:
    executable = Executable(file)
    text = read_config_h(executable.read, executable.symbol, identity)
    assert text is not None
    return text


def test_the_same_source(file: Path, identity: Identity, config: str, layout: Layout) -> None:
    found = of_file(file, identity, None, config)
    assert found.constants == layout.constants
    for name, struct in layout.structs.items():
        assert found.size(name) == struct.size
        assert struct.fields.items() <= found.structs[name].fields.items()
    assert found.origin == f"debug information of {file}, another build: no difference found"


def test_the_same_build(file: Path, identity: Identity) -> None:
    """Then nothing else is asked."""
    other = replace(identity, erts_version="1.2")
    assert of_file(file, other, ANOTHER, None).origin == f"debug information of {file}, the program's own build"


def test_another_patch(file: Path, identity: Identity, config: str) -> None:
    found = of_file(file, replace(identity, erts_version="13.9"), "11" * 20, config + "#define MORE 1\n")
    differences = f"erts {identity.erts_version}, this is 13.9, 1 lines of config.h differ"
    assert found.origin.endswith(f"another build: {differences}")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"otp_release": "1"}, "OTP {otp}, the program's 1"),
        ({"arch": "aarch64"}, "the architecture x86_64, the program's aarch64"),
        ({"word_size": 4}, "words of so many bytes: 8, the program's 4"),
        ({"flavour": "emu"}, "the flavour jit, the program's emu"),
        ({"build": "debug"}, "the kind of build opt, the program's debug"),
        ({"options": frozenset({"vm-probes"})}, "options none, the program's with vm-probes"),
    ],
    ids=str,
)
def test_what_is_not_similar(
    file: Path, identity: Identity, config: str, changed: Mapping[str, object], why: str
) -> None:
    with pytest.raises(NotSimilar) as caught:
        of_file(file, replace(identity, **changed), None, config)  # type: ignore[arg-type]
    why = why.format(otp=identity.otp_release)
    assert str(caught.value) == f"{file}: not similar to the program: {why}"


def test_other_sizes_of_types(file: Path, identity: Identity, config: str) -> None:
    with pytest.raises(NotSimilar, match="SIZEOF_TIME_T"):
        of_file(file, identity, None, config + "#define SIZEOF_TIME_T 3\n")


def test_files_that_tell_nothing(file: Path, identity: Identity, tmp_path: Path) -> None:
    stripped = installed_release().beam
    text = tmp_path / "text"
    text.write_text("no ELF file")
    for path, why in (
        (stripped, "no .debug_info section"),
        (text, "not a readable ELF file"),
        (tmp_path / "none", "No such file"),
        (tmp_path, "not a file"),
        (Path("/bin/true"), "its build id is not that of the program, and it does not tell OTP: no symbol"),
    ):
        with pytest.raises(NotSimilar) as caught:
            of_file(path, identity, ANOTHER[:-1] + "1", None)
        assert why in str(caught.value)
        assert "\n" not in str(caught.value)
