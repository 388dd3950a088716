"""To be sourced by GDB: what `beam-disas` takes for instructions in each tenth function of BeamAsm."""

from __future__ import annotations

from beamgdb.code.loaded import Place
from beamgdb.gdbext import session
from beamgdb.gdbext.unwinder import unwinder_of
from beamgdb.views.disassembly import instructions

EACH = 10


def faults(current: session.Session, place: Place) -> list[str]:
    """What is wrong with a function: bytes left out or shown twice, or an instruction that leads to none."""
    code = place.code
    found = instructions.listed(current.node, unwinder_of(current), place, code.start)
    if not found.instructions:
        return [f"nothing in {code.stop - code.start} bytes at {code.start:#x} of {place.module.name}"]
    ends = [one.address + one.size for one in found.instructions]
    starts = {one.address for one in found.instructions if not one.is_data}
    wrong = [] if [one.address for one in found.instructions] == [code.start, *ends[:-1]] else ["not all bytes"]
    wrong += [] if ends[-1] == code.stop else ["not to the end"]
    starts |= {one.address for one in found.instructions if one.is_data and one.text.startswith(".quad")}
    leads = {to for one in found.instructions if not one.is_data for to in (one.target, one.names) if to is not None}
    wrong += [f"leads to {to - code.start:+}" for to in leads if code.start <= to < code.stop and to not in starts]
    # A NIF is written over its function, whose lines remain.
    code_only = (one for one in found.instructions if not one.is_data)
    inside = {at for one in code_only for at in range(one.address + 1, one.address + one.size)}
    return wrong + [f"line {line}" for at, _, line in code.lines if at in inside]


def check() -> None:
    """Look at the functions, and print what is wrong."""
    current = session.require()
    places = [Place(module, code) for module in current.node.code for code in module.ranges if code.arity is not None]
    wrong = [(place.code.name, fault) for place in places[::EACH] for fault in faults(current, place)]
    print(f"{len(places[::EACH])} functions, wrong: {wrong[:EACH]}")


check()
