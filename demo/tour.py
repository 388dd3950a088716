"""A tour: commands given to GDB one by one, each with a line that says why."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import gdb

from demo import ptrace


@dataclass(frozen=True)
class Step:
    """Some commands, and one line that says what they show."""

    why: str
    commands: tuple[str, ...]


END = Step("That was all. The node ends:", ("kill",))


def show(step: Step, number: int) -> None:
    """Run the commands as if they were typed."""
    gdb.write(paint("1;33", f"# {number}. {step.why}") + "\n")
    for command in step.commands:
        gdb.write(paint("1", f"(gdb) {command}") + "\n")
        gdb.execute(command)
    gdb.write("\n")


def paint(style: str, text: str) -> str:
    """The text, in a style (ECMA-48, SGR) where GDB would use styles too."""
    return f"\033[{style}m{text}\033[m" if gdb.parameter("style enabled") else text


def run(steps: Sequence[Step]) -> None:
    """Show everything, and end GDB; its exit status is 0 when all has been shown."""
    gdb.execute(f"quit {_shown((*steps, END))}")


def _shown(steps: Sequence[Step]) -> int:
    if gdb.selected_inferior().pid == 0:
        gdb.write(f"demo: GDB could not attach to the node. {ptrace.advice(ptrace.scope())}\n", gdb.STDERR)
        return 1
    gdb.execute("set confirm off")
    gdb.execute("set print frame-info auto")
    if sys.__stdout__ is not None and sys.__stdout__.isatty():
        gdb.execute("set style enabled on")  # -batch has turned it off
    try:
        for number, step in enumerate(steps, 1):
            show(step, number)
    except gdb.error as error:
        gdb.write(f"demo: {error}\n", gdb.STDERR)
        return 1
    finally:
        if gdb.selected_inferior().pid != 0:
            gdb.execute("kill", to_string=True)
    return 0
