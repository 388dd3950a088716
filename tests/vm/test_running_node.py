"""What GDB shows of a running node's static tables: handlers of catches, and that purged code is gone."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import erl
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE

pytestmark = pytest.mark.skipif(bool(erl.missing_programs()), reason="needs Erlang")

HERE = Path(__file__).parent


#: A process whose dictionary has grown, and some of whose keys share a place.
KEYS = (
    'spawn(fun() -> [put(list_to_atom("key" ++ integer_to_list(N)), N) || N <- lists:seq(1, 700)],'
    ' [erase(list_to_atom("key" ++ integer_to_list(N))) || N <- lists:seq(1, 700, 3)], receive never -> ok end end)'
)

COMPARED = """
from beamgdb.gdbext import session
from beamgdb.vm import process_dictionary
from jit.otp.tags import ATOM, IMMED2_BITS, IMMED2_MASK
node = session.require().node
compared = 0
for process in node.processes:
    table, pairs = process.record["dictionary"], dict(process_dictionary.pairs(process.record))
    for key in [*pairs, node.atoms.find("erlang") << IMMED2_BITS | ATOM]:
        if key & IMMED2_MASK == ATOM:
            assert process_dictionary.values(node.memory, node.layout, [0, table], key) == [None, pairs.get(key)], key
            compared += 1
print("compared", compared)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the compiled modules are, and the files that make the node take a step."""
    path = tmp_path_factory.mktemp("reload")
    subprocess.run(["erlc", "-o", path, *sorted(HERE.glob("*.erl"))], check=True, timeout=PATIENCE)
    return path


@pytest.fixture(scope="module")
def gdb(folder: Path) -> Iterator[Gdb]:
    """GDB, attached to the node."""
    with erl.running_node(folder, f'{KEYS}, reload:start("{folder}")') as node, Gdb() as session:
        session.attach(node.pid)
        yield session


def _step(gdb: Gdb, file: Path) -> None:
    """Let the node run until it has taken a step."""
    file.touch()
    gdb.cmd("continue")
    deadline = time.monotonic() + PATIENCE
    while file.exists():
        assert time.monotonic() < deadline, f"the node did not {file.name}"
        time.sleep(0.02)
    gdb.interrupt()


def test_a_catch_shows_where_it_goes_on(gdb: Gdb) -> None:
    shown = gdb.cmd("beam-bt catcher")
    frames = dict(re.findall(r"in (reload:\w+/1)\+\d+[^#]*?<catch (reload:\w+/1)\+\d+>", shown))
    assert frames == {"reload:tried/1": "reload:tried/1", "reload:caught/1": "reload:caught/1"}, shown


def test_purged_code_has_no_symbols_until_it_is_loaded_again(gdb: Gdb, folder: Path) -> None:
    address = gdb.cmd("info address victim:work/1").rstrip(".\n").split()[-1]
    _step(gdb, folder / "delete")
    assert "victim:work/1" in gdb.cmd(f"info symbol {address}"), "old code is loaded until it is purged"
    _step(gdb, folder / "purge")
    assert "No symbol matches" in gdb.cmd(f"info symbol {address}")
    _step(gdb, folder / "load")
    address = gdb.cmd("info address victim:work/1").rstrip(".\n").split()[-1]
    assert "victim:work/1" in gdb.cmd(f"info symbol {address}")


def test_what_a_dictionary_has_for_an_atom(gdb: Gdb, folder: Path) -> None:
    """Found where the VM puts it, as by going through all there is."""
    script = folder / "compared.py"
    script.write_text(COMPARED)
    assert int(gdb.cmd(f"source {script}").split()[-1]) > 500
