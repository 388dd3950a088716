"""What the demo shows. GDB runs this, attached to the node of `demo.session`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import gdb

# GDB's Python does not look in the folder of the script that it runs.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from demo import ptrace


@dataclass(frozen=True)
class Step:
    """Some commands, and one line that says what they show."""

    why: str
    commands: tuple[str, ...]


IN_OTP = ("delete", "tbreak -function lists:foldl/3", "continue", "xreg 2", "list")

STEPS = (
    Step("The node runs the beam.smp that is installed here. This is known of it:", ("beam-info",)),
    Step("The process registered as shop, stopped just anywhere; y registers hold its variables:", ("beam-bt shop",)),
    Step("Stop it where shop:price/1 is called:", ("break -function shop:price/1", "continue")),
    Step("GDB's own backtrace goes through the Erlang frames and on to the scheduler's C code:", ("bt",)),
    Step("Source lines, as for C:", ("list",)),
    Step("A function gets its arguments in x registers:", ("xreg 0", "print x0")),
    Step("Any word can be shown as the term that it stands for:", ("xreg -raw 0", "eterm x0", "eterm 687")),
    Step("A caller keeps in y registers what it needs after the call:", ("up 2", "yreg", "print $_yreg(0)")),
    Step("The same in OTP's own code, if its sources are installed:", IN_OTP),
    Step("That was all. The node ends:", ("kill",)),
)


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


def run() -> int:
    """Show everything; the exit status."""
    if gdb.selected_inferior().pid == 0:
        gdb.write(f"demo: GDB could not attach to the node. {ptrace.advice(ptrace.scope())}\n", gdb.STDERR)
        return 1
    gdb.execute("set confirm off")
    gdb.execute("set print frame-info auto")
    if sys.__stdout__ is not None and sys.__stdout__.isatty():
        gdb.execute("set style enabled on")  # -batch has turned it off
    try:
        for number, step in enumerate(STEPS, 1):
            show(step, number)
    except gdb.error as error:
        gdb.write(f"demo: {error}\n", gdb.STDERR)
        return 1
    finally:
        if gdb.selected_inferior().pid != 0:
            gdb.execute("kill", to_string=True)
    return 0


gdb.execute(f"quit {run()}")
