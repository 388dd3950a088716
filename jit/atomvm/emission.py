"""The native code of one function for AtomVM: where registers live, what constants are, and how errors are raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from jit.atomvm import formats, terms
from jit.atomvm.formats import EXTRA, X_REGISTERS, Target
from jit.atomvm.macros import CONTEXT, STATE, Condition, Macros, Wide
from jit.beam.module import Module
from jit.beam.operands import BeamLabel, Integer, Literal, Operand, Typed, X, Y
from jit.beam.terms import Atom
from jit.beam.types import TypeKind
from jit.codegen.emission import FunctionEmission, Unsupported
from jit.codegen.processor import Assembler, Label, Register

_DIGIT: Final = 32
_INT64: Final = range(-(1 << 63), 1 << 63)


@dataclass
class Shared:
    """What all functions of a module share."""

    module: Module
    macros: Macros[Any]
    target: Target
    atoms: Mapping[str, int]
    imports: Mapping[object, int]
    lambdas: Mapping[object, int]
    #: Where labels of the bytecode are.
    places: dict[int, Label] = field(default_factory=dict)
    #: Indices of the Line chunk, of which 0 is no place, and offsets where code of them begins.
    lines: list[tuple[int, int]] = field(default_factory=list)
    locations: dict[object, int] = field(default_factory=dict)

    def place(self, number: int) -> Label:
        """The native place of a label of the bytecode."""
        return self.places.setdefault(number, Label())


@dataclass(kw_only=True)
class Emission(FunctionEmission[Any]):
    """One function. Its emitters use ``args`` and ``saved``, of which the last is for them alone."""

    shared: Shared
    _raising: dict[tuple[int, str], Label] = field(default_factory=dict)
    #: The location that was looked up last, which most operations have from the one before, and its index.
    _told: tuple[object, int] = (None, 0)

    @cached_property
    def m(self) -> Macros[Any]:
        """The macro operations."""
        return self.shared.macros

    @cached_property
    def a(self) -> Assembler[Any]:
        """The assembler."""
        return self.shared.macros.a

    @property
    def word(self) -> int:
        """Bytes of a word."""
        return self.shared.target.layout.word

    def begin(self, index: int) -> None:
        """The operation at *index* comes next."""
        self.tell_line(index)
        super().begin(index)

    def tell_line(self, index: int, body: int | None = None) -> None:
        """From here on, code is of the line of an operation; so it is from a *body* on, whatever is before."""
        location = self.operations[index].location
        if location is not self._told[0]:
            self._told = location, self.shared.locations.get(location, 0)
        _, line = self._told
        if body is not None or not self.shared.lines or self.shared.lines[-1][0] != line:
            self.shared.lines.append((line, self.a.offset if body is None else body))

    def cold(self, emit: Callable[[], None], *, collects: int | None = None, comes_back: bool = False) -> None:
        """Errors are raised there too, so that the VM looks for its line."""
        index = self.index

        def told() -> None:
            self.tell_line(index)
            emit()

        super().cold(told, collects=collects, comes_back=comes_back)

    # Operands

    def _x(self, number: int) -> int:
        return self.shared.target.layout.x + self.word * number

    def fetch(self, into: Register, register: Operand) -> None:
        """A CPU register = a BEAM register."""
        if isinstance(register, X):
            if register.number < X_REGISTERS:
                self.m.load_context(into, self._x(register.number))
            else:
                self.m.call("extended_register_pointer", CONTEXT, register.number)
                self.m.load(into, self.m.args[0], 0)
        elif isinstance(register, Y):
            self.m.load(into, self.stack(into), register.number)
        else:
            raise Unsupported(f"operand {register}")

    def put(self, source: Register, register: Operand) -> None:
        """A BEAM register = a CPU register."""
        scratch = self.m.args[-1] if source is not self.m.args[-1] else self.m.args[-2]
        if isinstance(register, X):
            if register.number < X_REGISTERS:
                self.m.store_context(source, self._x(register.number))
            else:
                self.m.keep(source)
                self.m.call("extended_register_pointer", CONTEXT, register.number)
                self.m.take(self.m.args[1])
                self.m.store(self.m.args[1], self.m.args[0], 0)
        elif isinstance(register, Y):
            self.m.store(source, self.stack(scratch), register.number)
        else:
            raise Unsupported(f"destination {register}")

    def stack(self, otherwise: Register) -> Register:
        """A register that has the stack pointer, and is not to be changed: maybe another than that which is given."""
        if self.m.stack is None:
            self.m.load_context(otherwise, self.shared.target.layout.e)
        return self.m.stack or otherwise

    def move_stack(self, words: int, scratch: Register) -> None:
        """So many words less are on the stack."""
        stack = self.stack(scratch)
        self.m.add(stack, stack, self.word * words)
        self.m.store_context(stack, self.shared.target.layout.e)

    def constant(self, into: Register, operand: Operand) -> None:
        """A CPU register = the word of a constant, by a call where it is not the same in every VM."""
        m = self.m
        if (word := terms.immediate(operand, self.word)) is not None:
            m.constant(into, word)
        elif isinstance(operand, Atom):
            m.call("module_get_atom_term_by_id", STATE, self.shared.atoms[operand.name])
            m.a.move(into, m.args[0])
        elif isinstance(operand, Literal):
            reason = terms.ATOMS["out_of_memory"]
            m.call("module_load_literal", CONTEXT, STATE, operand.index, raises=True, reason=reason)
            m.a.move(into, m.args[0])
        elif isinstance(operand, Integer):
            self._integer(into, operand.value)
        else:
            raise Unsupported(f"operand {operand}")

    def _integer(self, into: Register, value: int) -> None:
        """An integer that is no small one."""
        m = self.m
        if value in _INT64:
            m.call("alloc_boxed_integer_fragment", CONTEXT, Wide(value), raises=True)
        else:
            size, left = abs(value), self.word // 4
            digits = -(-size.bit_length() // _DIGIT)
            sign = terms.NEGATIVE_SIGN if value < 0 else 0
            m.call("alloc_big_integer_fragment", CONTEXT, digits, sign, raises=True)
            m.subtract(m.args[1], m.args[0], terms.BOXED)
            for word in range(-(-digits // left)):
                m.constant(m.args[2], size >> _DIGIT * left * word & (1 << _DIGIT * left) - 1)
                m.store(m.args[2], m.args[1], 1 + word)
        m.a.move(into, m.args[0])

    def is_cheap(self, operand: Operand) -> bool:
        """Whether it is loaded without a call."""
        operand = plain(operand)
        if isinstance(operand, X):
            return operand.number < X_REGISTERS
        return isinstance(operand, Y) or terms.immediate(operand, self.word) is not None

    def loads(self, *pairs: tuple[Operand, Register]) -> None:
        """Load several operands; those that need calls come first, and wait in registers that calls keep."""
        m = self.m
        costly = [pair for pair in pairs if not self.is_cheap(pair[0])]
        free = [register for register in m.saved if all(register is not into for _, into in pairs)]
        moves = []
        for at, (operand, into) in enumerate(costly):
            waits = at + 1 < len(costly) and all(into is not one for one in m.saved)
            place = free.pop() if waits else into
            self.load(operand, place)
            if waits:
                moves.append((into, place))
        for into, place in moves:
            m.a.move(into, place)
        for operand, into in pairs:
            if self.is_cheap(operand):
                self.load(operand, into)

    def set_aside(self, term: Register) -> None:
        """Keep a term behind the x registers, where nothing else is looked for as long as nothing is collected."""
        self.m.store_context(term, self._x(EXTRA))

    def take_back(self, into: Register) -> None:
        """A register = what was set aside."""
        self.m.load_context(into, self._x(EXTRA))

    # Shared by emitters

    def call_shared(self, name: str) -> None:
        """There is nothing of that kind."""
        raise Unsupported(name)

    def is_apart(self, name: str) -> bool:
        """There is nothing of that kind."""
        return False

    def label(self, number: int) -> Label:
        """The native place of a label."""
        self.labels.setdefault(number, self.shared.place(number))
        return super().label(number)

    def error(self) -> Label:
        """Where an error is raised that a primitive has set."""
        return self._rarely("handle_error", lambda: self.m.fail("handle_error"))

    def raises(self, reason: str) -> Label:
        """Where an error is raised whose reason is one of the fixed atoms."""
        return self._rarely(reason, lambda: self.m.fail("raise_error", reason=terms.ATOMS[reason]))

    def raises_tuple(self, reason: str, value: Register) -> Label:
        """Where an error is raised that is a tuple of a fixed atom and what is in a register."""
        atom = terms.ATOMS[reason]
        return self._rarely(f"{reason} {value.name}", lambda: self.m.fail("raise_error_tuple", value, reason=atom))

    def _rarely(self, what: str, emit: Callable[[], None]) -> Label:
        key = self.index, what
        if key not in self._raising:
            label = self._raising[key] = Label()

            def cold() -> None:
                self.a.bind(label)
                emit()

            self.cold(cold)
        return self._raising[key]

    def fail(self, operand: Operand, reason: str = "badarg") -> Label:
        """Where an operation goes that fails: its label, or where an error is raised."""
        if not isinstance(operand, BeamLabel):
            raise Unsupported(f"fail label {operand}")
        return self.label(operand.number) if operand.number else self.raises(reason)

    def fail_or_error(self, operand: Operand) -> Label:
        """The same where a primitive has set the error."""
        if not isinstance(operand, BeamLabel):
            raise Unsupported(f"fail label {operand}")
        return self.label(operand.number) if operand.number else self.error()

    def is_sure(self, operand: Operand, kinds: TypeKind) -> bool:
        """Whether an operand is known to be of one of some kinds."""
        return self.type(operand).is_only(kinds)

    def is_small(self, operand: Operand) -> bool:
        """Whether an operand is known to be a small integer."""
        known = self.type(operand)
        if not known.is_only(TypeKind.INTEGER) or known.lowest is None or known.highest is None:
            return False
        return terms.is_small(known.lowest, self.word) and terms.is_small(known.highest, self.word)

    def pointer(self, into: Register, boxed: Register) -> None:
        """The address of a boxed term's words."""
        self.m.subtract(into, boxed, terms.BOXED)

    def check_boxed(self, value: Register, header: Register, otherwise: Label) -> None:
        """A register = the first word of a boxed term; to *otherwise* if it is none. The value may be the same one."""
        self.m.branch_if_any(value, terms.NOT_BOXED, otherwise)
        self.m.load_of(header, value, terms.BOXED, 0)

    def check_header(self, value: Register, header: Register, tag: int, otherwise: Label) -> None:
        """To *otherwise* if a term is not boxed with this tag."""
        self.check_boxed(value, header, otherwise)
        self.m.branch_if_bits(Condition.DIFFERENT, header, terms.HEADER, tag, otherwise)

    def check_binary(self, value: Register, header: Register, otherwise: Label) -> None:
        """To *otherwise* if a term is no binary."""
        self.check_boxed(value, header, otherwise)
        self.check_binary_header(header, otherwise)

    def check_binary_header(self, header: Register, otherwise: Label) -> None:
        """To *otherwise* if the first word of a boxed term, which is changed, is none of a binary."""
        good = Label()
        self.m.and_(header, header, terms.HEADER)
        for tag in terms.BINARIES[:-1]:
            self.m.branch_if(Condition.EQUAL, header, tag, good)
        self.m.branch_if(Condition.DIFFERENT, header, terms.BINARIES[-1], otherwise)
        self.a.bind(good)

    def check_small(self, value: Register, operand: Operand, otherwise: Label) -> None:
        """To *otherwise* if a term, that of an operand, is no small integer."""
        if not self.is_small(operand):
            self.m.branch_if_bits(Condition.DIFFERENT, value, terms.TAG, terms.INTEGER, otherwise)

    def untag(self, into: Register, small: Register) -> None:
        """The number that a small integer is."""
        self.m.shift_right(into, small, terms.TAG_BITS, sign=True)

    def trim(self, live: int, kept: Register | None = None) -> None:
        """Before a collection: x registers that have places of their own are in use only below *live*."""
        if not self._has_far_registers:
            return
        if kept is not None:
            self.m.keep(kept)
        self.m.call("trim_live_regs", CONTEXT, live)
        if kept is not None:
            self.m.take(kept)

    @property
    def _has_far_registers(self) -> bool:
        return any(isinstance(one, X) and one.number >= X_REGISTERS for one in self._registers)

    @property
    def _registers(self) -> list[object]:
        return [one for effect in self.effects for one in (*effect.uses, *effect.defines)]

    def ensure(self, words: Any, live: int, *roots: tuple[Register, Operand]) -> None:
        """So many words of heap, a number or a register, with some registers, which hold these operands, kept true.

        They are loaded again from where the collector has seen them, or from x registers behind those in use.
        """
        m = self.m
        self.trim(live, None if isinstance(words, int) else words)
        live = min(live, X_REGISTERS)
        behind, reload = live, []
        for register, operand in roots:
            operand = plain(operand)
            if isinstance(operand, Y) or isinstance(operand, X) and operand.number < live:
                reload.append((register, operand))
                continue
            if behind > EXTRA:
                raise Unsupported("two roots behind sixteen x registers")
            m.store_context(register, self._x(behind))
            reload.append((register, X(behind)))
            behind += 1
        m.call("memory_ensure_free_with_roots", CONTEXT, STATE, words, behind, formats.CAN_SHRINK, raises=True)
        for register, operand in reload:
            if isinstance(operand, X):
                m.load_context(register, self._x(operand.number))
            else:
                self.fetch(register, operand)


def plain(operand: Operand) -> Operand:
    """An operand without what is known of its type."""
    return operand.register if isinstance(operand, Typed) else operand
