"""What the demo shows. GDB runs this, attached to the node of `demo.session`."""

from __future__ import annotations

import sys
from pathlib import Path

# GDB's Python does not look in the folder of the script that it runs.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from demo.tour import Step, run

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
)

run(STEPS)
