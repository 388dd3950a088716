"""What the demo of 32-bit ARM shows. GDB runs this, connected to a node that has not run its first instruction."""

from __future__ import annotations

import sys
from pathlib import Path

# GDB's Python does not look in the folder of the script that it runs.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from demo.tour import Step, run

IN_C = ("tbreak -function phash2_1", "continue", "bt")
STEPS = (
    Step("The node has not started yet. Stop it where shop:price/1 is called for a diamond:",
         ('beam-break shop:price/1 if $_streq($_eterm($_xreg(0)), "{diamond,3,1180591620717411303424}")', "continue")),
    Step("It is a stock, stripped beam.smp for ARM, and its Erlang code is interpreted:", ("beam-info",)),
    Step("GDB's own backtrace shows the Erlang functions outside of the interpreter's one C function:", ("bt",)),
    Step("Source lines, as for C:", ("list",)),
    Step("A function gets its arguments in x registers:", ("xreg 0", "print $_xreg(0)")),
    Step("Any word can be shown as the term that it stands for:", ("xreg -raw 0", "eterm 687")),
    Step("By Erlang lines: over a call, then out of the function:", ("beam-next", "beam-next", "beam-finish")),
    Step("y registers hold the variables of a process that runs:", ("beam-bt shop",)),
    Step("In C functions that Erlang has called:", IN_C),
    Step("No trace of a breakpoint stays in the node:", ("beam-breakpoints", "delete", "beam-breakpoints")),
)  # fmt: skip

run(STEPS)
