"""Native code in a .beam file, and the bytecode that stands beside it where it runs.

The file stays what the compiler made, for all that read it: an Erlang without the glue, ``beam_lib``, ``code``. Behind
its chunks come three more: the native object, a second .beam file for the glue, which lets the loader have that
instead, and a checksum of both, for neither native code nor bytecode can be trusted once it is damaged. To the world
the module is that of the first all the same: it has its MD5, and so have its funs.

The second file has the module's bytecode, with room for the ways in. The glue overwrites the first four words of a
function that has native code. So that the bytecode stays whole, such a function begins with two jumps to what was its
beginning. Labels are put where native code lets the interpreter go on. A place where an interpreted callee returns to
native code is a function of its own, named and placed in the source as the caller and standing behind it; in itself it
jumps back into the caller's bytecode. So is a place where the interpreter raises badarith. The glue takes such
functions out of the module's table of functions: then what they do is the caller's.

A NIF takes the place of a function's bytecode too. So behind each call of erlang:load_nif/2, which only bytecode makes,
the glue is called to let native callers see which functions have been replaced.
"""

from __future__ import annotations

from typing import Final

from jit.beam.chunks import write_chunks
from jit.beam.module import Module, encode_module
from jit.beam.operands import BeamLabel, FloatRegister, Import
from jit.beam.operations import Function, Operation, operation
from jit.beam.terms import Atom
from jit.erts.arm32.emission import BadArithmetic, Continuation, Emission
from jit.erts.arm32.native import MixedNative
from jit.erts.boot import NAME
from jit.erts.checksum import checksum
from jit.erts.parts import BYTECODE_CHUNK, CHECKSUM_CHUNK, CHUNK

#: What the loader reads of a file (erts/emulator/beam/beam_file.c, ``beamfile_read``).
_LOADED = frozenset("AtU8 Code StrT ImpT ExpT FunT LitT Attr CInf Line Atom Type Meta DbgB Recs".split())

_LOAD_NIF: Final = Import("erlang", "load_nif", 2)
#: In jit/erts/glue/native.erl: takes and gives the result of that.
_NIF_LOADED: Final = Import(NAME, "nif_loaded", 1)


def rewrite(native: MixedNative, elf: bytes) -> bytes:
    """The .beam file of the module with native code. The module is changed."""
    plain = [(chunk.name, chunk.data) for chunk in native.module.chunks]
    beside = bytecode(native)
    return write_chunks([*plain, (CHUNK, elf), (BYTECODE_CHUNK, beside), (CHECKSUM_CHUNK, checksum(elf, beside))])


def bytecode(native: MixedNative) -> bytes:
    """A .beam file with the module's bytecode as it stands beside native code. The module is changed."""
    module = native.module
    module.chunks = [chunk for chunk in module.chunks if chunk.name in _LOADED]
    module.locals = []
    labels = _Labels(native.next_label)
    stubs: dict[int, list[Function]] = {}
    for continuation in native.continuations:
        stubs.setdefault(continuation.function.entry, []).append(_stub(module, continuation, labels))
    compiled = {one.function.entry for one in native.functions}
    for function in module.functions:
        if function.entry not in compiled:
            function.operations = [new for one in function.operations for new in _told(one)]
    for one in native.functions:
        for error in one.emission.errors:
            stubs.setdefault(error.function.entry, []).append(_error(module, error, labels))
        one.function.operations = _with_room(one.emission, labels)
    module.functions[:] = [one for function in module.functions for one in (function, *stubs.pop(function.entry, ()))]
    module.functions.extend(one for others in stubs.values() for one in others)
    module.code.label_count = labels.next
    return encode_module(module)


class _Labels:
    """Labels that are not used yet, from ``next`` on."""

    def __init__(self, first: int) -> None:
        self.next = first

    def new(self) -> int:
        self.next += 1
        return self.next - 1


def _with_room(emission: Emission, labels: _Labels) -> list[Operation]:
    function, resumes, handlers = emission.function, emission.resumes, emission.handlers
    begins = function.operations.index(operation("label", function.entry))
    if function.operations[begins + 1].name == "line":
        begins += 1  # it becomes the line of func_info, as the loader finds it right behind
    out: list[Operation] = []
    for index, one in enumerate(function.operations):
        if index in resumes:
            out.append(operation("label", resumes[index]))
        out += _changed(one, BeamLabel(handlers[index])) if index in handlers else [one]
        if index == begins:
            out += _room(labels.new())
    return out


def _changed(one: Operation, stub: BeamLabel) -> list[Operation]:
    """An operation from which the interpreter comes to native code: by its label, or when it is done."""
    if one.name in ("try", "catch"):
        return [operation(one.name, one.operands[0], stub)]
    if one.name in ("wait", "wait_timeout"):
        return [operation(one.name, stub, *one.operands[1:])]
    return [one, operation("jump", stub)]


def _told(one: Operation) -> list[Operation]:
    """An operation of a function that has no native code: if it may load a NIF, the glue is told so."""
    if one.operands[1:2] != (_LOAD_NIF,):
        return [one]
    if one.name == "call_ext":
        return [one, operation("call_ext", 1, _NIF_LOADED)]
    if one.name == "call_ext_last":
        return [operation("call_ext", 2, _LOAD_NIF), operation("call_ext_last", 1, _NIF_LOADED, one.operands[2])]
    made = operation("allocate", 0, 2), operation("call_ext", 2, _LOAD_NIF)
    return [*made, operation("call_ext_last", 1, _NIF_LOADED, 0)]


def _room(body: int) -> list[Operation]:
    """Four words, and a label behind them where they lead."""
    return [*_jumps(body), operation("label", body)]


def _jumps(target: int) -> list[Operation]:
    return [operation("jump", BeamLabel(target)), operation("jump", BeamLabel(target))]


def _stub(module: Module, continuation: Continuation, labels: _Labels) -> Function:
    code = _jumps(continuation.after)
    if module.lines is not None and continuation.after_location != continuation.location:
        code.insert(0, operation("line", continuation.after_location))
    return _function(module, continuation, labels, code)


def _error(module: Module, error: BadArithmetic, labels: _Labels) -> Function:
    """To convert an atom to a float fails as arithmetic of floats does."""
    fails = operation("fconv", Atom(error.function.name), FloatRegister(0))
    return _function(module, error, labels, [fails, operation("jump", BeamLabel(error.label))])


def _function(module: Module, beside: Continuation | BadArithmetic, labels: _Labels, code: list[Operation]) -> Function:
    function, info = beside.function, labels.new()
    operations = [
        operation("label", info),
        *([operation("line", beside.location)] if module.lines is not None else []),
        operation("func_info", Atom(module.name), Atom(function.name), function.arity),
        operation("label", beside.label),
        *code,
    ]
    return Function(function.name, function.arity, beside.label, operations)
