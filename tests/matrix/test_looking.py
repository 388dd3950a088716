"""What every command shows of one and the same scene: a process in a NIF, below it Erlang functions whose arguments and
variables are known, beside it processes that hold every kind of term."""

from __future__ import annotations

import re

import pytest

from tests.gdb.stages import functions, line_of, local_variables, read_backtrace, read_backtraces, read_frames
from tests.gdb.test_beam_bt import pid_of
from tests.gdb.test_beam_info import rows
from tests.gdb.test_eterm import limits
from tests.harness.gdb import one_line_error
from tests.harness.targets import LOOKED_AT
from tests.matrix.conftest import PAYLOAD, STAGE, Scene, erlang_only

#: For the interpreter a NIF is also an Erlang function, which calls the native one.
INSIDE = re.compile(r"(stages:c_function/1 )?stages:in_nif/2 (stages:all/3 )+stages:round/2 stages:loop/1")
REGISTER = re.compile(r"([xyf]\d+) +(.*)")


def registers(text: str) -> dict[str, str]:
    """What `xreg`, `yreg` or `freg` printed."""
    found = [REGISTER.fullmatch(line) for line in text.splitlines()]
    assert found
    assert all(found), text
    return {match[1]: match[2] for match in found if match}


# -- the VM -----------------------------------------------------------------------------------------------------------


def test_beam_info(scene: Scene) -> None:
    shown = rows(scene.gdb.cmd("beam-info"))
    target, facts = scene.target, scene.facts
    assert shown["Erlang/OTP"] == f"{target.otp}, erts {facts['erts_version']}"
    assert shown["architecture"] == target.architecture
    kind = "" if target.kind == "opt" else f", {target.kind} build"
    assert shown["flavour"] == {"emu": "interpreter", "jit": "JIT (BeamAsm)"}[facts["flavor"]] + kind
    assert re.findall(r"\d+", shown["schedulers"]) == [
        facts["schedulers"], facts["dirty_cpu_schedulers"], facts["dirty_io_schedulers"],
    ]  # fmt: skip
    assert ("built-in table" in shown["layouts"]) == (target.kind == "opt")
    modules, functions_ = (int(number) for number in re.findall(r"\d+", shown["code"])[:2])
    assert modules >= int(facts["modules"])
    assert functions_ >= int(facts["functions"])


# -- stacks -----------------------------------------------------------------------------------------------------------


def test_lines_fit_a_terminal(scene: Scene) -> None:
    for command in ("beam-info", "beam-why"):
        assert max(map(len, scene.on_a_terminal(command).splitlines())) < 80
    # What is not cut is the same.
    shown = " ".join(scene.on_a_terminal("beam-info").split())
    assert " ".join(scene.gdb.cmd("beam-info").partition("symbols:")[0].split()) in shown


def test_bt(scene: Scene) -> None:
    shown = read_frames(scene.gdb.cmd("bt"))
    names = functions(shown)
    assert names[:2] == ["stage_reached", "c_function"]
    erlang = erlang_only(shown)
    assert INSIDE.fullmatch(" ".join(functions(erlang)))
    caller = next(frame for frame in erlang if frame.function == "stages:in_nif/2")
    assert caller.place == f"stages.erl:{line_of('stages', 'c_function({argument, 3})')}"
    assert all(frame.place.startswith("stages.erl:") for frame in erlang)
    assert any(name.endswith("process_main") for name in names)
    # And out of process_main, through C functions of the VM and of libc whose names Debian has stripped.
    # (On the JIT there are two of that name: a fragment of BeamAsm's, and the C function, where it is known.)
    first = next(number for number, name in enumerate(names) if name.endswith("process_main"))
    assert len(names) > first + 3


def test_context(scene: Scene) -> None:
    """The same as the commands show that are for each of its parts."""
    inner = erlang_only(read_frames(scene.gdb.cmd("bt 12")))[0].function
    assert scene.gdb.cmd("beam-context stack").startswith(f"(the selected frame was called by {inner})\n-- stack ---")
    scene.up_to("stages:in_nif/2")
    shown = scene.gdb.cmd("beam-context source stack code registers")
    _, source, found, code, registers_ = re.split(r"^-- .* -+\n", shown, flags=re.M)
    number = line_of("stages", text := "c_function({argument, 3})")
    assert [line for line in source.splitlines() if line.startswith("=>")] == [f"=> {number}      Answer = {text},"]
    (selected,) = (line for line in found.splitlines() if line.startswith("=>"))
    assert "in stages:in_nif/2" in selected
    shown_frames = re.sub(r"^(=>|  ) (?=#)", "", found.rpartition("(")[0], flags=re.M)
    frames = read_backtrace(re.sub(r"^( +y\d+ =) x\d+ =", r"\1", shown_frames, flags=re.M))
    whole = read_backtrace(scene.gdb.cmd("beam-bt"))
    assert frames.heading == whole.heading
    assert frames.names() == whole.names()[: len(frames.functions)]
    saved = [(one.function, name, text) for one in frames.functions for name, text in one.registers.items()]
    assert ("stages:in_nif/2", PAYLOAD) in [(function, text) for function, _, text in saved]
    both = [one for one in saved if one[1].startswith("y")]
    assert both == [
        (one.function, name, text)
        for one in whole.functions[: len(frames.functions)]
        for name, text in one.registers.items()
        if name.startswith("y")
    ]
    assert [line for line in code.splitlines() if line.startswith("=>")] == [
        line for line in scene.gdb.cmd("beam-disas").splitlines() if line.startswith("=>")
    ]
    assert registers_.startswith("(x registers are not available in stages:in_nif/2")


def test_arguments(scene: Scene) -> None:
    """Of functions that have saved them: the number of the round is the same in all."""
    erlang = erlang_only(read_frames(scene.gdb.cmd("bt")))
    caller, inside, outside = (
        next(one for one in erlang if one.function == name)
        for name in ("stages:in_nif/2", "stages:round/2", "stages:loop/1")
    )
    number = outside.arguments["x0"]
    assert number.isdecimal()
    assert inside.arguments["x1"] == PAYLOAD
    assert inside.arguments["x0"] in (number, "<not available>")
    assert caller.arguments == {"x0": number, "x1": PAYLOAD}


def test_selecting_frames(scene: Scene) -> None:
    gdb = scene.gdb
    scene.up_to("stages:in_nif/2")
    line = line_of("stages", "c_function({argument, 3})")
    shown = gdb.cmd("frame")
    assert re.search(rf"stages:in_nif/2 \(.*\) at \S*stages\.erl:{line}\n{line}\t", shown)
    assert "Answer = c_function({argument, 3})," in gdb.cmd("list")
    assert PAYLOAD in gdb.cmd("yreg")
    with_locals = gdb.cmd("bt -full")
    assert PAYLOAD in with_locals
    scene.up_to("stages:round/2")


def test_a_term_in_c(scene: Scene) -> None:
    assert scene.gdb.cmd("p argument").endswith(" = {argument,3}\n")
    assert scene.gdb.cmd("eterm argument") == "{argument,3}\n"


LIVE = tuple((target, mode) for target in LOOKED_AT for mode in target.modes if mode != "core")


@pytest.mark.scenes(*LIVE)
def test_threads_after_a_change_of_memory(scene: Scene) -> None:
    """All is asked anew then, while GDB prints arguments of frames in a table, within which it can make no other."""
    gdb = scene.gdb
    (word,) = re.findall(r"stage_reached \(env=(0x[0-9a-f]+)", gdb.cmd("info threads"))
    gdb.cmd(f"set var *(long *) {word} = *(long *) {word}")
    assert re.search(rf"^[* ] +\d+ .* {STAGE} \(env=.*, argument=\{{argument,3\}}\)", gdb.cmd("info threads"), re.M)


def test_beam_bt(scene: Scene) -> None:
    gdb = scene.gdb
    text = gdb.cmd("beam-bt")
    shown = read_backtrace(text)
    assert re.match(r"Process <0\.\d+\.0> stages, spawned as stages:loop/1: running on thread \d+", shown.heading)
    assert INSIDE.fullmatch(" ".join(shown.names()))
    assert shown.first("stages:c_function/1").registers == {"x0": "{argument,3}"}
    (number,) = shown.first("stages:loop/1").registers.values()
    for name in ("stages:in_nif/2", "stages:round/2"):
        assert set(shown.first(name).registers.values()) == {number, PAYLOAD}
    assert shown.first("stages:in_nif/2").line == line_of("stages", "c_function({argument, 3})")
    assert gdb.cmd("beam-bt stages") == text
    assert gdb.cmd(f"beam-bt {pid_of(shown.heading)}") == text


def test_all_processes(scene: Scene) -> None:
    shown = read_backtraces(scene.gdb.cmd("beam-bt all"))
    assert len(shown) == int(rows(scene.gdb.cmd("beam-info"))["processes"])
    headings = "\n".join(one.heading for one in shown)
    for name in ("init", "code_server", "terms_holder", "words_holder", "busy", "stages"):
        assert re.search(rf"^Process <0\.\d+\.0> {name}, ", headings, re.M)
    assert all(one.functions for one in shown)
    assert not any(name.startswith("0x") for one in shown for name in one.names())


def test_a_waiting_process(scene: Scene) -> None:
    shown = read_backtrace(scene.gdb.cmd("beam-bt terms_holder"))
    assert shown.heading.endswith(" terms_holder, spawned as terms:hold/1: waiting")
    assert shown.names()[:2] == ["terms:park/2", "terms:hold/1"]
    catches = [text for text in shown.first("terms:hold/1").registers.values() if "catch" in text]
    assert catches
    assert all(re.match(r"<catch terms:hold/1\+\d+>", text) for text in catches)


def test_a_suspended_process(scene: Scene) -> None:
    shown = read_backtrace(scene.gdb.cmd("beam-bt terms_suspended"))
    assert shown.heading.endswith(": suspended")
    assert shown.names() == ["terms:turn/6"]
    registers_ = shown.functions[0].registers
    assert [registers_[f"x{number}"] for number in range(2, 6)] == [
        "1.5", '<<"x register">>', "{in,[x,registers]}", str(1 << 80),
    ]  # fmt: skip


def test_a_match_context(scene: Scene) -> None:
    shown = read_backtrace(scene.gdb.cmd("beam-bt terms_matching"))
    texts = [text for one in shown.functions for text in one.registers.values()]
    assert any("match context" in text and "st......" in text for text in texts)


# -- terms and registers ----------------------------------------------------------------------------------------------


def test_every_kind_of_term(scene: Scene) -> None:
    """As the node itself prints them."""
    words = {name: int(word, 16) for name, word in re.findall(r"^word (\w+) ([0-9a-f]+)$", scene.said, re.M)}
    printed = dict(re.findall(r"^(\w+)\t(.*)$", scene.said, re.M))
    assert len(printed) > 40
    assert printed.keys() == words.keys()
    # Deeper than any limit.
    del printed["nested_list"], words["nested_list"]
    with limits(scene.gdb, depth=1000, width=100000, bytes=100000):
        shown = {name: scene.gdb.cmd(f"eterm {word:#x}").removesuffix("\n") for name, word in words.items()}
    assert shown == printed


def test_y_registers(scene: Scene) -> None:
    gdb = scene.gdb
    scene.up_to("stages:in_nif/2")
    shown = registers(gdb.cmd("yreg"))
    assert list(shown) == ["y0", "y1"]
    assert PAYLOAD in shown.values()
    assert local_variables(gdb) == shown
    for name, text in shown.items():
        assert gdb.cmd(f"p $_yreg({name[1:]})").endswith(f" = {text}\n")
        assert gdb.cmd(f"p {name}").endswith(f" = {text}\n")
        word = gdb.cmd(f"yreg -raw {name[1:]}").split()[1]
        assert gdb.cmd(f"eterm {word}").strip() == text
    assert "there is no y register 2" in one_line_error(gdb, "yreg 2")


def test_outer_frames_have_no_x_registers(scene: Scene) -> None:
    scene.up_to("stages:round/2")
    assert "not available" in one_line_error(scene.gdb, "xreg")
    assert "not available" in one_line_error(scene.gdb, "p $_xreg(0)")
    assert local_variables(scene.gdb) == registers(scene.gdb.cmd("yreg"))


# -- names, lines, sources --------------------------------------------------------------------------------------------


def test_symbols(scene: Scene) -> None:
    gdb = scene.gdb
    line = line_of("stages", "leaf(First, Second, Third) ->")
    said = gdb.cmd("info line -function stages:leaf/3")
    found = re.match(rf'Line {line} of "stages\.erl" starts at address (0x[0-9a-f]+)', said)
    assert found, said
    start = int(found[1], 16)
    assert gdb.cmd(f"info symbol {start:#x}").startswith("stages:leaf/3 in section")
    assert gdb.cmd(f"info symbol {start + 4:#x}").startswith("stages:leaf/3 + 4 in section")
    assert "stages:third/1" in gdb.cmd("info functions -q ^stages:")
    assert "break -function stages:leaf/3" in gdb.cmd("complete break -function stages:lea")
    assert "    Size = third(Third),\n" in gdb.cmd("list -function stages:leaf/3")


def test_sources_of_otp(scene: Scene) -> None:
    assert re.search(r"^\d+\tmap\(F, ", scene.gdb.cmd("list -function lists:map/2"), re.M)


@pytest.mark.parametrize("command", ["beam-bt <0.9999.0>", "beam-bt no_such_name", "yreg 99999", "xreg foo", "eterm ("])
def test_errors(scene: Scene, command: str) -> None:
    one_line_error(scene.gdb, command)
