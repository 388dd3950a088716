"""The glue undoes and hides what it does, and runs nothing natively that it is not sure of."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jit.__main__ import main as jit
from jit.beam.chunks import read_chunks, write_chunks
from jit.erts import glue, layout
from jit.erts.arm32 import runtime
from jit.erts.checksum import checksum
from jit.erts.parts import BYTECODE_CHUNK, CHECKSUM_CHUNK, CHUNK
from jit.otp import vm_flags
from tests.beam.damage import BYTES
from tests.codegen.native_node import compile_native, erlc, node, node_says
from tests.harness.glue import put_glue

HERE = Path(__file__).parent
NAMES = "hello", "onload", "reload", "storm", "traced"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    for name in NAMES:
        erlc(HERE / f"{name}.erl", folder)
    for version in "12":
        erlc(HERE / "hot.erl", folder / version, f"-DVERSION={version}")
    return folder


@pytest.fixture(scope="module")
def native(otp: int, plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"native-{otp}")
    compile_native([plain / f"{name}.beam" for name in NAMES], folder, otp)
    for version in "12":
        compile_native([plain / version / "hot.beam"], folder / version, otp)
    return folder


def test_code_is_exchanged_while_it_runs(otp: int, plain: Path, native: Path) -> None:
    """Natively as interpreted: frames of old code on stacks, purging, 6 processes on 2 schedulers."""
    results = []
    for folder, words, modules in ((plain, [], "[]"), (native, ["-s", "native"], "lists:sort(native:modules())")):
        storm = f'storm:run("{folder}/1", "{folder}/2")'
        run = f'io:format("~p~n", [{storm}]), io:format("native ~p~n", [{modules}]), halt().'
        results.append(node_says(otp, "+S", "2:2", "-pa", str(folder), *words, "-eval", run).partition("native "))
    (interpreted, _, _), (answer, _, modules) = results
    assert answer == interpreted == "{{false,{true,false,2},1276,true,1},{true,killed},true}\n"
    assert modules == "[hot,storm]\n"


def test_on_load_and_literals(otp: int, plain: Path, native: Path) -> None:
    """A module that refuses to be loaded leaves nothing behind; literals of one that is gone stay what they are."""
    said = []
    for folder, words, count in ((plain, [], "fun() -> 0 end"), (native, ["-s", "native"], "fun native:loaded/0")):
        quiet = "logger:set_primary_config(level, none), "
        run = f'{quiet}io:format("~w ~w~n", tuple_to_list(reload:run({count}))), halt().'
        said.append(node_says(otp, "-pa", str(folder), *words, "-eval", run).rpartition(" "))
    (interpreted, _, _), (answer, _, counts) = said
    assert answer == interpreted
    assert answer.startswith("[{error,on_load_failure},{module,onload},{error,on_load_failure},ok,{module,onload},")
    assert ",{[true,true,true]," in answer
    assert counts == "[1,2,2,2,3,2,2,1,1]\n"  # with `reload` itself


def test_stubs_are_neither_listed_nor_traced(otp: int, plain: Path, native: Path) -> None:
    """Breakpoints in functions are seen by all that call through export entries; in stubs there are none."""
    run = """
        Self = self(),
        {module, traced} = code:ensure_loaded(traced),
        spawn(fun() ->
            erlang:trace_pattern({traced, '_', '_'}, true, [local]),
            Traced = spawn(fun() -> receive go -> Self ! {result, traced:outer(1, 2)} end end),
            erlang:trace(Traced, true, [call]),
            Traced ! go,
            Self ! {events, [receive {trace, Traced, call, Call} -> Call after 5000 -> none end || _ <- [1, 2, 3]]},
            Self ! {more, receive {trace, _, _, _} = More -> More after 50 -> none end}
        end),
        Got = [receive {Key, Value} -> {Key, Value} end || Key <- [result, events, more]],
        io:format("~w~n", [{Got, lists:sort(traced:module_info(functions)), lists:sort(traced:module_info(exports))}]),
        halt().
    """
    answer = node_says(otp, "-pa", str(native), "-s", "native", "-eval", run)
    assert answer == node_says(otp, "-pa", str(plain), "-eval", run)
    assert "{events,[{traced,outer,[1,2]},{traced,inner,[1]},{traced,inner,[2]}]},{more,none}" in answer


def test_what_is_prepared_and_never_finished_goes(otp: int, native: Path) -> None:
    expression = """
        {ok, Beam} = file:read_file(code:which(hello)),
        {P, M} = spawn_monitor(fun() ->
            Prepared = [erlang:prepare_loading(hello, Beam) || _ <- lists:seq(1, 20)],
            exit({native:loaded(), length(Prepared)})
        end),
        io:format("~p", [receive {'DOWN', M, _, P, Why} -> Why end]),
        io:format("~p~n", [native:loaded()]), halt().
    """
    assert node_says(otp, "-pa", str(native), "-s", "native", "-eval", expression) == "{20,20}0\n"


def test_no_memory_is_writable_and_executable(otp: int, native: Path) -> None:
    expression = """
        {module, traced} = code:ensure_loaded(traced), [traced] = native:modules(),
        {ok, Maps} = file:read_file("/proc/self/maps"), io:put_chars(Maps), halt().
    """
    ran = node(otp, "-pa", str(native), "-s", "native", "-eval", expression)
    rights = [line.split()[1] for line in ran.stdout.splitlines()]
    assert any(right.startswith("r-x") for right in rights)
    assert not [right for right in rights if "w" in right and "x" in right]


CALL = 'io:format("~p~n", [traced:outer(1, 2)]), halt().'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"call_nif\0", b"call_nix\0", "native: traced runs interpreted: call_nix\n"),
        (b".beam.entries\0", b".beam.entrees\0", "native: traced runs interpreted: the native object is damaged\n"),
        (b"\x7fELF\x01", b"\x7fELF\x02", "native: traced runs interpreted: the native object is damaged\n"),
    ],
    ids=["symbol", "section", "header"],
)
def test_a_damaged_object_runs_interpreted(
    otp: int, native: Path, tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    """Also one whose checksum is right."""
    link_glue(native, tmp_path)
    put_changed(native / "traced.beam", tmp_path, old, new)
    ran = node(otp, "-pa", str(tmp_path), "-s", "native", "-eval", CALL)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "4\n", said)


def link_glue(native: Path, folder: Path) -> None:
    for name in ("native.so", "native.beam"):
        (folder / name).symlink_to(native / name)


def put_changed(beam: Path, folder: Path, old: bytes, new: bytes) -> None:
    """A .beam file with other bytes in its native object, of which its checksums are right."""
    chunks = chunks_of(beam)
    assert old in chunks[CHUNK]
    chunks[CHUNK] = chunks[CHUNK].replace(old, new)
    chunks[CHECKSUM_CHUNK] = checksum(chunks[CHUNK], chunks[BYTECODE_CHUNK])
    (folder / beam.name).write_bytes(write_chunks(chunks.items()))


LOAD_SIDE_BY_SIDE = """
    Load = fun(Name) ->
        {{ok, Beam}} = file:read_file("{folder}/" ++ atom_to_list(Name) ++ ".beam"),
        [true = is_reference(erlang:prepare_loading(Name, Beam)) || _ <- lists:seq(1, {times})]
    end,
    Loading = [spawn_monitor(fun() -> Load(Name) end) || Name <- [traced, hello]],
    io:format("~w~n", [[receive {{'DOWN', Monitor, _, _, Why}} -> Why end || {{_, Monitor}} <- Loading]]), halt().
"""


def test_what_is_wrong_is_told_of_the_right_module(otp: int, native: Path, tmp_path: Path) -> None:
    """Two schedulers prepare damaged modules at once."""
    wrong = {"traced": "call_nix", "hello": "cell_nif"}
    link_glue(native, tmp_path)
    for name, symbol in wrong.items():
        put_changed(native / f"{name}.beam", tmp_path, b"call_nif\0", symbol.encode() + b"\0")
    run = LOAD_SIDE_BY_SIDE.format(folder=tmp_path, times=300)
    ran = node(otp, "+S", "2:2", "-pa", str(tmp_path), "-s", "native", "-eval", run)
    assert (ran.returncode, ran.stdout) == (0, "[normal,normal]\n")
    told = {f"native: {name} runs interpreted: {symbol}" for name, symbol in wrong.items()}
    assert set(ran.stderr.splitlines()) == told


DAMAGED = 60
LOAD_ALL = """
    lists:foreach(fun(File) ->
        {{ok, Beam}} = file:read_file("{folder}/" ++ File),
        {{module, traced}} = erlang:load_module(traced, Beam),
        io:format("~w ~w~n", [traced:outer(1, 2), native:modules()]),
        true = code:delete(traced), false = code:purge(traced)
    end, lists:sort(element(2, file:list_dir("{folder}")))), halt().
"""


def test_damage_anywhere_in_what_the_compiler_has_added(otp: int, native: Path, tmp_path: Path) -> None:
    """Nothing of it is run. One node that loads all of them, and calls each."""
    rng = random.Random(f"{otp} added")
    for number in range(DAMAGED):
        chunks = chunks_of(native / "traced.beam")
        name = rng.choice((CHUNK, BYTECODE_CHUNK, CHECKSUM_CHUNK))
        while (damaged := rng.choice(BYTES)(chunks[name], rng)) == chunks[name]:
            pass
        (tmp_path / f"{number:02}.beam").write_bytes(write_chunks({**chunks, name: damaged}.items()))
    ran = node(otp, "-pa", str(native), "-s", "native", "-eval", LOAD_ALL.format(folder=tmp_path))
    assert (ran.returncode, ran.stdout) == (0, "4 []\n" * DAMAGED)
    assert ran.stderr == "native: traced runs interpreted: its native code is damaged\n" * DAMAGED


def chunks_of(beam: Path) -> dict[str, bytes]:
    return {chunk.name: chunk.data for chunk in read_chunks(beam.read_bytes(), beam.name)}


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("Process.flags", "flags"),
        ("Process.catches", "catches"),
        ("Process.sig_qs.first", "messages"),
        ("Process.off_heap.overhead", "off_heap"),
        ("ErtsSchedulerRegisters.f_reg_array", "registers"),
    ],
)
def test_a_field_that_is_elsewhere_is_found(
    otp: int, native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, told: str
) -> None:
    """With a layout that is wrong, everything runs interpreted."""
    loaded = layout.load

    def wrong(release: int) -> layout.NativeLayout:
        right = loaded(release)
        place = right.fields[field]
        return replace(right, fields={**right.fields, field: place._replace(offset=place.offset + 4)})

    monkeypatch.setattr(glue, "load", wrong)
    glue.build(tmp_path)
    (tmp_path / "traced.beam").symlink_to(native / "traced.beam")
    ran = node(otp, "-pa", str(tmp_path), "-s", "native", "-eval", CALL)
    assert (ran.returncode, ran.stdout) == (0, "4\n")
    assert ran.stderr.startswith("native: everything runs interpreted: {not_where_expected,[")
    assert told in ran.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"build": {**layout.load(27).build, "etp_debug_compiled": 1}}, "its build has etp_debug_compiled 0, not 1"),
        ({"build": {**layout.load(27).build, "etp_nothing": 1}}, "it does not tell etp_nothing"),
        ({"arch": "armel"}, "it is built for arm-unknown-linux-gnueabihf, not armel"),
        ({"erts": "13.1"}, "this release of the runtime system is not known"),
        (
            {"sizes": {**layout.load(27).sizes, "ErtsCodeInfo": 24}},
            "the code of a function is not where it should be",
        ),
    ],
    ids=["build", "silence", "architecture", "release", "code"],
)
def test_another_build_is_found(
    otp: int, native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], told: str
) -> None:
    """With a layout of another build, everything runs interpreted."""
    loaded = layout.load
    monkeypatch.setattr(glue, "load", lambda release: replace(loaded(release), **change))
    glue.build(tmp_path)
    (tmp_path / "traced.beam").symlink_to(native / "traced.beam")
    ran = node(otp, "-pa", str(tmp_path), "-s", "native", "-eval", CALL)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "4\n", f"native: everything runs interpreted: {told}\n")


def test_other_tags_are_found(otp: int, native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a VM that tells of them."""
    loaded = layout.load

    def wrong(release: int) -> layout.NativeLayout:
        right = loaded(release)
        return replace(right, tags={**right.tags, "etp_map_subtag": 0x34})

    monkeypatch.setattr(glue, "load", wrong)
    glue.build(tmp_path)
    (tmp_path / "traced.beam").symlink_to(native / "traced.beam")
    ran = node(otp, "-pa", str(tmp_path), "-s", "native", "-eval", CALL)
    assert (ran.returncode, ran.stdout) == (0, "4\n")
    assert (
        ran.stderr
        == {
            25: "native: traced runs interpreted: it is compiled for another release or build\n",
            27: "native: everything runs interpreted: its build has etp_map_subtag 44, not 52\n",
        }[otp]
    )


@pytest.mark.parametrize("flag", ["F_FORCE_GC", "F_TRAP_EXIT", "CONTEXT_REDS"])
def test_code_for_other_flags_is_refused(
    otp: int, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    """By the library, which knows those of the VM."""
    with monkeypatch.context() as patch:
        patch.setattr(vm_flags, flag, 1 << 9)
        patch.setattr(runtime, "load", layout.load.__wrapped__)
        assert jit(["compile", str(plain / "traced.beam"), "-o", str(tmp_path), "--otp", str(otp)]) == 0
    put_glue(tmp_path)
    ran = node(otp, "-pa", str(tmp_path), "-s", "native", "-eval", CALL)
    assert (ran.returncode, ran.stdout) == (0, "4\n")
    assert ran.stderr == "native: traced runs interpreted: it is compiled for another release or build\n"


@pytest.mark.parametrize(("flag", "told"), [("F_TRAP_EXIT", "flags"), ("ERTS_PROC_LOCK_MAIN", "lock")])
def test_other_flags_are_found(
    otp: int, native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, told: str
) -> None:
    """Those that show, by what is tried on the VM."""
    loaded = layout.load

    def wrong(release: int) -> layout.NativeLayout:
        right = loaded(release)
        return replace(right, flags={**right.flags, flag: 1 << 9})

    monkeypatch.setattr(glue, "load", wrong)
    glue.build(tmp_path)
    (tmp_path / "traced.beam").symlink_to(native / "traced.beam")
    ran = node(otp, "-pa", str(tmp_path), "-s", "native", "-eval", CALL)
    assert (ran.returncode, ran.stdout) == (0, "4\n")
    assert ran.stderr == f"native: everything runs interpreted: {{not_where_expected,[{told}]}}\n"


def test_what_it_is_built_with_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(glue.GlueError, match="cannot run .*: install Debian's package gcc-arm-linux-gnueabihf$"):
            glue.build(tmp_path / "out")
    monkeypatch.setattr(glue, "INCLUDE", tmp_path)
    with pytest.raises(glue.GlueError, match="erl_nif.h is not there: install Debian's package erlang-dev$"):
        glue.build(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
