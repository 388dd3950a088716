"""What places in native code, and the symbols that it refers to, are called in a listing."""

from __future__ import annotations

from jit.beam.operands import Import
from jit.beam.text import atom_text, operation_text, term_text
from jit.codegen.describe import symbol
from jit.codegen.native import NativeFunction
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.native import MixedNative
from jit.otp.native_abi import ENTRY

#: Longer terms are cut.
_WIDTH = 70


def places(native: MixedNative) -> dict[int, str]:
    """Names by offset in bytes: functions, their entries for native callers, shared fragments, labels, ways in."""
    found: dict[int, str] = {}
    for one in native.functions:
        found.update({place: f"L{number}" for number, place in one.labels})
        found.update({place: f"continuation {label}" for label, place in continuation_places(one)})
    # After all labels, as that of the operation at the body of a function is at the same place.
    for one in native.functions:
        name = symbol(native.module.name, one.function.name, one.function.arity)
        found[one.body] = name
        found[one.start] = name + ENTRY
    found.update({one.begin: one.name for one in native.fragments})
    labels = _bytecode_places(native)
    found.update({way_in: f"way in to {labels.get(label, f'L{label}')}" for label, way_in, *_ in native.entries})
    return found


def continuation_places(one: NativeFunction[Emission]) -> list[tuple[int, int]]:
    """Where interpreted callees return to: the label in the bytecode, and the place in native code."""
    return [(stub.label, label.offset) for stub, label in one.emission.continuations if label.offset is not None]


class Symbols:
    """What the undefined symbols of native code stand for: see jit/erts/arm32/symbols.py."""

    def __init__(self, native: MixedNative) -> None:
        self._module = native.module
        self._bytecode = _bytecode_places(native)

    def text(self, symbol: str) -> str:
        """In the words of a listing; the symbol itself where it is a function of beam.smp."""
        kind, _, number = symbol.partition(":")
        if not number.isdecimal():
            return {"call_nif": "the handler of call_nif", "library": "the library of the glue"}.get(kind, symbol)
        return self._numbered(kind, int(number)) or symbol

    def _numbered(self, kind: str, number: int) -> str | None:
        module = self._module
        if kind == "atom":
            return atom_text(module.atoms[number - 1])
        if kind == "literal":
            return cut(term_text(module.literals.literals[number].value))
        if kind == "import":
            return f"export {_import(module.imports[number])}"
        if kind == "bif":
            return f"BIF {_import(module.imports[number])}"
        if kind == "label":
            return f"bytecode of {self._bytecode.get(number, f'L{number}')}"
        return None


def cut(text: str) -> str:
    """A text that is not too long for the end of a line."""
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _import(row: Import) -> str:
    return f"{atom_text(row.module)}:{atom_text(row.function)}/{row.arity}"


def _bytecode_places(native: MixedNative) -> dict[int, str]:
    """What stands behind labels of the rewritten bytecode: functions, operations, and continuations."""
    found = {one.entry: symbol(native.module.name, one.name, one.arity) for one in native.module.functions}
    for one in native.functions:
        name = symbol(native.module.name, one.function.name, one.function.arity)
        operations = one.emission.operations
        found.update({label: cut(operation_text(operations[at])) for at, label in one.emission.resumes.items()})
        found.update({label: f"continuation {label} of {name}" for label, _ in continuation_places(one)})
    return found
