"""What pieces of code call, followed from where they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from jit.erts.hidden.instructions import Code

#: Instructions of one handler that are looked at.
_MOST: Final = 4000

#: Instructions up to the first test in a piece of code.
_NEAR: Final = 16

# Conditions of branches (A8.3).
_EQUAL, _NOT_EQUAL, _MINUS, _PLUS = 0, 1, 4, 5

#: What stands for a call of what a register says.
INDIRECT: Final = 0


class Flow:
    """Control flow within one function, from *start* to *stop*."""

    def __init__(self, code: Code, start: int, stop: int) -> None:
        self.code, self.start, self.stop = code, start, stop

    def _steps(self, start: int, stop_at: Callable[[int, int], bool]) -> Iterator[tuple[int, int | None]]:
        """Address and callee of each instruction that is reached; those behind a call that *stop_at* wants are not."""
        seen: set[int] = set()
        todo = [start]
        while todo:
            at = todo.pop()
            conditional = 0
            while at not in seen and self.start <= at < self.stop and len(seen) < _MOST:
                seen.add(at)
                step = self.code.step(at)
                goes_on = step.goes_on or conditional > 0
                conditional = step.conditional or max(conditional - 1, 0)
                called = self._called(step.to, step.calls, step.is_indirect)
                yield at, called
                if called is not None and stop_at(at, called):
                    break
                if called is None and step.to is not None:
                    todo.append(step.to)
                todo += [to for to in self.cases(at) if self.start <= to < self.stop]
                if not goes_on:
                    break
                at += step.size

    def _called(self, to: int | None, calls: bool, is_indirect: bool) -> int | None:
        """What an instruction calls, be it by a jump out of the function: None for none, INDIRECT for what a register
        says."""
        if calls and is_indirect:
            return INDIRECT
        if to is not None and (calls or not self.start <= to < self.stop):
            return to
        return None

    def calls(self, start: int) -> list[int]:
        """What is called from an address on, in the order of the code."""
        return [called for _, called in self._steps(start, lambda _at, _to: False) if called is not None]

    def first_calls(self, start: int) -> set[int]:
        """What is called first on any way from there."""
        return {called for _, called in self._steps(start, lambda _at, _to: True) if called is not None}

    def is_passed_by(self, start: int, function: int) -> bool:
        """Whether a way leads on without calling a function."""
        ways = self._steps(start, lambda _at, to: to == function)
        return any(self.code.step(at).is_indirect and called is None for at, called in ways)

    def cases(self, at: int) -> list[int]:
        """Where a jump by a table goes: as many entries as the comparison before it allows. Thumb code only."""
        step = self.code.step(at)
        if not step.table:
            return []
        for before in range(at - 2, at - 20, -2):
            word = self.code.bits(before & ~1, 2)
            if word is not None and word & 0xF800 == 0x2800:  # cmp rN, #
                return self.code.table(at, step.table, (word & 0xFF) + 1)
        return []

    def tables(self, start: int) -> list[list[int]]:
        """All tables that jumps go by which are reached."""
        return [cases for at, _ in self._steps(start, lambda _at, _to: False) if (cases := self.cases(at))]

    def called_where_bit_is_set(self, start: int, bit: int) -> set[int]:
        """What is called first on the way that is gone where a bit of a register is set, the first one that is tested
        from there on by shifting it up to the sign or by itself; empty where no such test is found."""
        at = start
        for _ in range(_NEAR):
            step = self.code.step(at)
            if step.to is not None or not step.goes_on:
                break
            behind = at + step.size
            condition, then = self.code.condition(behind), self.code.step(behind)
            shifts, tests = self.code.tests(at, bit)
            if then.to is not None and (shifts or tests) and condition is not None:
                wanted = (_MINUS, _PLUS) if shifts else (_NOT_EQUAL, _EQUAL)
                if condition in wanted:
                    return self.first_calls(then.to if condition == wanted[0] else behind + then.size)
            at = behind
        return set()
