"""A module as its .beam file tells it, and the way back into a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jit.beam.chunks import LARGEST, Chunk, read_chunks, write_chunks
from jit.beam.code import CodeChunk, decode_code, encode_code
from jit.beam.errors import BeamError
from jit.beam.external import decode_term
from jit.beam.lines import LineTable, decode_lines, encode_lines
from jit.beam.literals import LiteralTable, decode_literals, encode_literals
from jit.beam.operands import NOWHERE, Import, Lambda
from jit.beam.operation_encoder import Interner, OperationEncoder
from jit.beam.operations import Function, Tables
from jit.beam.tables import (
    FunctionEntry,
    decode_atoms,
    decode_entries,
    decode_imports,
    decode_lambdas,
    encode_atoms,
    encode_entries,
    encode_imports,
    encode_lambdas,
)
from jit.beam.terms import Atom, List, Term, Tuple
from jit.beam.types import TypeTable, decode_types, encode_types
from jit.system import whole_files


@dataclass
class Module:
    """What a .beam file says. The tables may be appended to, and ``encode_module`` makes a file of it again.

    ``lines`` and ``types`` are None where there is no such chunk, or it cannot be read. ``long_atoms``: the lengths of
    atoms are in the form of OTP 28. ``attributes``, ``compile_info`` and ``meta`` are terms as written by the compiler,
    None if left out. ``chunks`` are those of the file, in its order: what has no place above is kept as it is there.
    """

    file: str
    atoms: list[str]
    long_atoms: bool
    imports: list[Import]
    exports: list[FunctionEntry]
    locals: list[FunctionEntry]
    lambdas: list[Lambda]
    literals: LiteralTable
    strings: bytes
    lines: LineTable | None
    types: TypeTable | None
    code: CodeChunk
    attributes: Term | None
    compile_info: Term | None
    meta: Term | None
    chunks: list[Chunk]

    @property
    def name(self) -> str:
        return self.atoms[0]

    @property
    def source(self) -> str | None:
        """The absolute name of the source file; None if the compiler was told not to keep it (``deterministic``), or
        what is kept can be no name."""
        for row in self.compile_info.elements if isinstance(self.compile_info, List) else ():
            pair = row.elements if isinstance(row, Tuple) else ()
            if len(pair) == 2 and pair[0] == Atom("source") and isinstance(pair[1], List):
                characters = pair[1].elements
                numbers = [one for one in characters if isinstance(one, int) and 0 < one <= sys.maxunicode]
                return "".join(map(chr, numbers)) if len(numbers) == len(characters) else None
        return None

    @property
    def functions(self) -> list[Function]:
        return self.code.functions

    def function(self, name: str, arity: int) -> Function:
        """The (first) function of that name. Raises KeyError."""
        for function in self.functions:
            if function.name == name and function.arity == arity:
                return function
        raise KeyError(f"{self.name}:{name}/{arity}")


def read_module(path: Path) -> Module:
    """The module of a .beam file. Raises BeamError, and OSError if the file cannot be read."""
    return decode_module(whole_files.read(path, LARGEST), str(path))


def decode_module(data: bytes, file: str) -> Module:
    """The module that the bytes of a .beam file tell. *file* is what errors call it. Raises BeamError."""
    chunks = read_chunks(data, file)
    found = _by_name(chunks)

    def chunk(name: str) -> Chunk:
        if name not in found:
            raise BeamError(file, "the chunk is expected, but not there", chunk=name)
        return found[name]

    atom_chunk = found["Atom"] if "AtU8" not in found and "Atom" in found else chunk("AtU8")
    atoms = decode_atoms(atom_chunk)
    imports = decode_imports(chunk("ImpT"), atoms)
    exports = decode_entries(chunk("ExpT"), atoms)
    local = decode_entries(found["LocT"], atoms) if "LocT" in found else []
    lambdas = decode_lambdas(found["FunT"], atoms) if "FunT" in found else []
    literals = decode_literals(found["LitT"]) if "LitT" in found else LiteralTable()
    lines = decode_lines(found["Line"], atoms[0]) if "Line" in found else None
    types = decode_types(found["Type"]) if "Type" in found else None
    strings = found["StrT"].data if "StrT" in found else b""
    locations = None if lines is None else lines.locations
    known_types = None if types is None or not types.types else types.types
    tables = Tables(atoms, imports, literals.literals, lambdas, locations, known_types, strings)
    code = decode_code(chunk("Code"), tables)
    attributes, compile_info, meta = (
        decode_term(found[name]) if name in found else None for name in ("Attr", "CInf", "Meta")
    )
    return Module(
        file=file,
        atoms=atoms,
        long_atoms=atom_chunk.data[0] >= 0x80,  # the sign of the count
        imports=imports,
        exports=exports,
        locals=local,
        lambdas=lambdas,
        literals=literals,
        strings=strings,
        lines=lines,
        types=types,
        code=code,
        attributes=attributes,
        compile_info=compile_info,
        meta=meta,
        chunks=chunks,
    )


def _by_name(chunks: list[Chunk]) -> dict[str, Chunk]:
    found: dict[str, Chunk] = {}
    for chunk in chunks:
        if chunk.name in found:
            raise chunk.error(None, "the chunk is there twice")
        found[chunk.name] = chunk
    return found


def encode_module(module: Module, extra: Mapping[str, bytes] | None = None) -> bytes:
    """A .beam file of the module, with the chunks of *extra* in the place of those of the same name, or at the end.

    Atoms, imports, funs, locations, types and strings that are used and are in no table yet are appended to the
    module's tables. Raises ValueError for what cannot be written.
    """
    encoder = OperationEncoder(
        atoms=module.atoms,
        imports=module.imports,
        lambdas=module.lambdas,
        locations=module.lines.locations if module.lines else [],
        types=module.types.types if module.types else [],
        strings=module.strings,
    )
    code = encode_code(module.code, encoder)
    module.strings = encoder.strings
    encoded = {
        "Code": code,
        "StrT": module.strings,
        "ImpT": encode_imports(module.imports, encoder.atom),
        "ExpT": encode_entries(module.exports, encoder.atom),
        "FunT": encode_lambdas(module.lambdas, encoder.atom),
        "LitT": encode_literals(module.literals),
        "LocT": encode_entries(module.locals, encoder.atom),
        "Line": _encode_lines(module, encoder),
        "Type": _encode_types(module, encoder),
        "AtU8": encode_atoms(module.atoms, long_lengths=module.long_atoms),
    }
    before = {chunk.name: chunk.data for chunk in module.chunks if chunk.name != "Atom"}
    rows = {"FunT": module.lambdas, "LitT": module.literals.external, "LocT": module.locals, "Line": module.lines}
    for name, table in {**rows, "Type": module.types}.items():
        if not table and name not in before:
            del encoded[name]  # no chunk says the same as an empty one: the file stays as it was
    return write_chunks({**before, **encoded, **(extra or {})}.items())


def _encode_lines(module: Module, encoder: OperationEncoder) -> bytes:
    if module.lines is None:
        if encoder.locations.rows:
            raise ValueError(f"{module.name} has no table of lines to hold {encoder.locations.rows[0]}")
        return _as_it_was(module, "Line")
    files = Interner(module.lines.files)
    for location in module.lines.locations:
        if location.file not in (module.lines.own_file, NOWHERE.file):
            files.index(location.file)
    module.lines.operations = encoder.lines
    return encode_lines(module.lines)


def _encode_types(module: Module, encoder: OperationEncoder) -> bytes:
    if module.types is None or not module.types.types:
        if encoder.types.rows:
            raise ValueError(f"{module.name} has no table of types to hold {encoder.types.rows[0]}")
        return _as_it_was(module, "Type")
    return encode_types(module.types)


def _as_it_was(module: Module, name: str) -> bytes:
    return next((chunk.data for chunk in module.chunks if chunk.name == name), b"")
