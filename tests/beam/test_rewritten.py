"""Files that we have changed and written are loaded by a real VM and do what they should."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from jit.beam.chunks import write_chunks
from jit.beam.lines import LineTable
from jit.beam.module import Module, decode_module, encode_module, read_module
from jit.beam.operands import BeamLabel, Import, Integer, Lambda, Location, Operand, String, X, Y
from jit.beam.operations import Function, operation
from jit.beam.tables import FunctionEntry
from jit.beam.terms import NIL, Atom, List, Tuple
from tests.beam.sound_files import SAMPLE, erlang_files
from tests.harness.patience import PATIENCE

pytestmark = pytest.mark.skipif(not shutil.which("erlc"), reason="Erlang is not installed")

#: Modules are replaced by those in the current folder, then the exercise runs; printed in full.
#: What the module tells. From OTP 26 on the order of a map's keys differs from node to node, unless it is asked for.
TOLD = """
Form = case erlang:system_info(otp_release) of "25" -> "~0tp"; _ -> "~0ktp" end,
io:format("~ts~n", [io_lib:format(Form, [exercise:run()])]),
"""

RUN = (
    """
Load = fun(File) ->
    Module = list_to_atom(filename:basename(File, ".beam")),
    code:unstick_mod(Module), code:purge(Module),
    {module, Module} = code:load_abs(filename:absname(filename:rootname(File))) end,
lists:foreach(Load, filelib:wildcard("*.beam")),
"""
    + TOLD
    + """
io:format("~0p~n", [[code:is_loaded(Module) || Module <- [exercise, lists]]]), halt().
"""
)


def erl(expression: str, folder: Path) -> str:
    """What an Erlang that is started in *folder* prints."""
    command = ["erl", "-noinput", "-eval", expression]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, timeout=PATIENCE, check=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def exercise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled exercise, alone in a folder."""
    folder = tmp_path_factory.mktemp("ebin")
    source = Path(__file__).with_name("exercise.erl")
    subprocess.run(["erlc", "-W0", "-o", folder, source], timeout=PATIENCE, check=True)
    return folder / "exercise.beam"


def shuffle(module: Module, rng: random.Random) -> None:
    """Give atoms, imports, locations and types other indices: nearly every operand of the code is another one then."""
    name, *others = module.atoms
    rng.shuffle(others)
    module.atoms[1:] = others
    rng.shuffle(module.imports)
    assert module.lines
    assert module.types
    for rows in (module.lines.locations, module.types.types):
        first, *rest = rows
        rng.shuffle(rest)
        rows[:] = [first, *rest]  # type: ignore[list-item]


def test_shuffled_tables_change_nothing(exercise: Path, tmp_path: Path) -> None:
    rng = random.Random(1)
    expected, loaded = erl(RUN, exercise.parent).splitlines()
    for path in [exercise, *(path for path in erlang_files() if path.stem in SAMPLE)]:
        module = read_module(path)
        shuffle(module, rng)
        written = encode_module(module)
        assert written != path.read_bytes()
        (tmp_path / path.name).write_bytes(written)
    told, own = erl(RUN, tmp_path).splitlines()
    assert told == expected
    assert own != loaded
    assert own.count(str(tmp_path)) == 2


def append(module: Module, name: str, arity: int, *body: tuple[str, *tuple[Operand, ...]], line: int = 0) -> BeamLabel:
    """Append an exported function, whose body begins after the label of its entry."""
    info = module.code.label_count
    location = Location("added.erl", line)
    operations = [
        operation("label", info),
        operation("line", location),
        operation("func_info", Atom(module.name), Atom(name), arity),
        operation("label", info + 1),
        *(operation(*words) for words in body),
    ]
    module.functions.append(Function(name, arity, info + 1, operations))
    module.exports.append(FunctionEntry(name, arity, info + 1))
    module.code.label_count += 2
    return BeamLabel(info + 1)


def test_appended_functions(exercise: Path, tmp_path: Path) -> None:
    """New functions with new atoms, imports, literals, strings, lines and a fun, beside the old ones."""
    module = read_module(exercise)
    literal = module.literals.add(Tuple((Atom("a_new_atom_of_a_literal"), List((1, 2.5)), -(1 << 80))))
    reverse = Import("lists", "reverse", 1)
    append(module, "literal", 0, ("move", literal, X(0)), ("return",))
    append(module, "backwards", 1, ("call_ext_only", 1, reverse))
    append(module, "number", 0, ("move", Integer(-(1 << 100)), X(0)), ("return",))
    double = append(
        module,
        "double",
        2,
        ("gc_bif2", BeamLabel(0), 2, Import("erlang", "*", 2), X(0), X(1), X(0)),
        ("return",),
        line=70_000,
    )
    fun = Lambda("double", 2, double.number, len(module.lambdas), 1, 0)
    append(
        module,
        "fun_of",
        1,
        ("test_heap", 10, 1),
        ("make_fun3", fun, X(0), (X(0),)),
        ("return",),
    )
    append(module, "pair", 2, ("test_heap", 3, 2), ("put_tuple2", X(0), (X(1), X(0))), ("return",))
    append(module, "bytes", 0, ("bs_create_bin", BeamLabel(0), 0, 0, 8, X(0), segments(b"a new string")), ("return",))
    append(
        module, "kept", 1,
        ("allocate", 1, 1), ("move", X(0), Y(0)), ("call", 1, sum_of(module)), ("test_heap", 3, 1),
        ("put_tuple2", X(0), (Y(0), X(0))), ("deallocate", 1), ("return",),
    )  # fmt: skip
    (tmp_path / exercise.name).write_bytes(encode_module(module, {"Mine": b"a chunk of our own"}))
    ask = (
        """
        M = exercise,
        Failed = try M:double(2, x) catch error:badarith:Stack -> lists:keyfind(M, 1, Stack) end,
        {ok, {_, [{_, Mine}]}} = beam_lib:chunks("exercise.beam", ["Mine"]),
        io:format("~w~n", [[M:literal(), M:backwards([1, 2]), M:number(), M:double(3, 5), (M:fun_of(4))(5),
            M:pair(a, b), M:bytes(), M:kept([1, 2, 3])]]),
        io:format("~0p~n", [[Mine, Failed, erlang:function_exported(M, fun_of, 1)]]),
        {ok, _} = beam_lib:md5("exercise.beam"), #{} = maps:from_list(M:module_info()),
    """
        + TOLD
        + "halt()."
    )
    values, others, ran = erl(ask, tmp_path).splitlines()
    assert values == (
        "[{a_new_atom_of_a_literal,[1,2.5],-1208925819614629174706176},[2,1],-1267650600228229401496703205376,"
        "15,20,{b,a},<<97,32,110,101,119,32,115,116,114,105,110,103>>,{[1,2,3],6}]"
    )
    assert others.startswith('[<<"a chunk of our own">>,')
    assert '{exercise,double,2,[{file,"added.erl"},{line,70000}]}' in others
    assert others.endswith(",true]")
    assert ran == erl(RUN, exercise.parent).splitlines()[0]


def segments(text: bytes) -> tuple[Atom | int | List | String | Integer, ...]:
    """The segments of bs_create_bin for a constant string, which the string table does not hold yet."""
    return Atom("string"), 0, 8, NIL, String(0, text), Integer(len(text))


def sum_of(module: Module) -> BeamLabel:
    return BeamLabel(module.function("sum", 1).entry)


def test_what_was_appended_is_read_again(exercise: Path) -> None:
    module = read_module(exercise)
    append(module, "new", 0, ("move", Atom("new_atom"), X(0)), ("return",))
    again = decode_module(encode_module(module), "again.beam")
    assert again.functions == module.functions
    assert again.atoms == module.atoms
    assert again.exports == module.exports
    assert (again.code.label_count, again.code.max_opcode) == (module.code.label_count, module.code.max_opcode)
    assert again.lines == module.lines
    assert again.types == module.types


def test_without_a_table_of_lines(exercise: Path) -> None:
    chunks = [(chunk.name, chunk.data) for chunk in read_module(exercise).chunks if chunk.name != "Line"]
    module = decode_module(write_chunks(chunks), "lineless.beam")
    assert module.lines is None
    append(module, "new", 0, ("return",), line=1)
    with pytest.raises(ValueError, match="exercise has no table of lines"):
        encode_module(module)


def test_files_of_lines_are_added(exercise: Path) -> None:
    module = read_module(exercise)
    assert isinstance(module.lines, LineTable)
    append(module, "new", 0, ("return",), line=12)
    encode_module(module)
    assert module.lines.files[-1] == "added.erl"
    assert module.lines.locations[-1] == Location("added.erl", 12)
