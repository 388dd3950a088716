"""The glue stays in the VM when its module goes: with init:restart/0, code:delete/1, or another instance of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jit.erts.boot import arguments, write_boot
from jit.sandbox import Sandbox
from tests.codegen.native_node import compile_native, erlc, library, node, node_says

TRACED = Path(__file__).with_name("traced.erl")


@pytest.fixture(scope="module")
def folder(otp: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`traced` and `lists`, native; the glue; a boot script that begins with it."""
    path = tmp_path_factory.mktemp(f"native-{otp}")
    compile_native([erlc(TRACED, tmp_path_factory.mktemp("plain")), library(otp, "stdlib") / "lists.beam"], path, otp)
    write_boot(Sandbox("armhf", otp).ensure().otp_root / "bin/start.boot", path)
    return path


@pytest.mark.parametrize("whole", [False, True], ids=["-s native", "boot script"])
def test_a_node_restarts(otp: int, folder: Path, tmp_path: Path, whole: bool) -> None:
    """Three lives: in each, modules are loaded and run natively."""
    life = f"""
        Marks = "{tmp_path}/marks",
        Life = case file:read_file(Marks) of {{ok, Before}} -> byte_size(Before); _ -> 0 end,
        file:write_file(Marks, "x", [append]),
        Four = traced:outer(1, 2),
        io:format("~w ~w ~w~n", [Life, Four, lists:sort(native:modules())]),
        case Life of 2 -> halt(); _ -> init:restart() end.
    """
    words = arguments(folder) if whole else ["-pa", str(folder), "-s", "native"]
    first = "[lists,traced]" if whole else "[traced]"  # then the glue is there before `lists` is loaded
    assert node_says(otp, *words, "-eval", life) == f"0 4 {first}\n1 4 [lists,traced]\n2 4 [lists,traced]\n"


TELL = 'Tell = fun() -> io:format("~w ~w~n", [traced:outer(1, 2), native:modules()]) end, '
LOAD = "Load = fun() -> code:purge(traced), {module, traced} = code:load_file(traced), Tell() end, "


def test_the_module_goes_and_comes(otp: int, folder: Path) -> None:
    """Modules are loaded and purged while it is not there; native code that was there before runs on."""
    run = f"""{TELL} {LOAD} Load(),
        true = code:delete(native), code:purge(native), {{module, traced}} = code:load_file(traced), Tell(),
        code:purge(traced), Tell(),
        {{module, native}} = c:l(native), Tell(),
        code:purge(native), {{module, native}} = code:load_file(native), Tell(), Load(), Load(), halt().
    """
    both = "4 [traced,traced]"
    lines = ["4 [traced]", both, "4 [traced]", "4 [traced]", "4 [traced]", both, both]
    assert node_says(otp, "-pa", str(folder), "-s", "native", "-eval", run).splitlines() == lines


def test_code_is_still_purged_when_the_purger_is_loaded_anew(otp: int, folder: Path) -> None:
    run = f"""{TELL} {LOAD}
        File = filename:join([code:lib_dir(erts), "ebin", "erts_code_purger.beam"]),
        {{ok, Beam}} = file:read_file(File),
        code:unstick_mod(erts_code_purger),
        {{module, _}} = code:load_binary(erts_code_purger, File, Beam),
        Load(), code:purge(traced), Load(), code:purge(traced), Tell(), halt().
    """
    said = node_says(otp, "-pa", str(folder), "-s", "native", "-eval", run)
    assert said == "4 [traced]\n4 [traced,traced]\n4 [traced]\n"


def test_another_build_of_the_glue_leaves_all_to_the_first(otp: int, folder: Path, tmp_path: Path) -> None:
    """Native code runs on, and the new build does not say that there is none."""
    for name in ("native.so", "native.beam"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    run = f"""{TELL} {LOAD} Load(),
        code:del_path("{folder}"), code:add_patha("{tmp_path}"), code:purge(native), code:load_file(native),
        native:start(), code:add_patha("{folder}"),
        code:purge(traced), {{module, traced}} = code:load_file(traced), 4 = traced:outer(1, 2),
        [{{'EXIT', {{another_build_of_the_glue_is_at_work, _}}}} = (catch native:Tell()) || Tell <- [modules, loaded]],
        halt().
    """
    ran = node(otp, "-pa", str(folder), "-s", "native", "-eval", run)
    assert (ran.returncode, ran.stdout) == (0, "4 [traced]\n")
    assert ran.stderr == "native: another build of the glue stays at work until the VM ends\n"
