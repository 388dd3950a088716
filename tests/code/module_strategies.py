"""Modules as BeamAsm might make them: code without gaps, each function with the `ErtsCodeInfo` before it."""

from __future__ import annotations

from hypothesis import strategies as st

from beamgdb.code.module import CODE_INFO, Line, Module, Range

ATOMS = st.sampled_from(["lists", "a", "Elixir.Foo", "żółw", "with space", "日本"])
FILES = st.sampled_from(["lists.erl", "src/żółw.erl", "/abs/x.yrl"])


@st.composite
def lines_within(draw: st.DrawFn, start: int, stop: int) -> tuple[Line, ...]:
    """Line entries at different addresses, in order; the first at `start`."""
    offsets = draw(st.lists(st.integers(1, max(1, stop - start - 1)), unique=True, max_size=4))
    addresses = [start, *sorted(start + offset for offset in offsets if start + offset < stop)]
    return tuple((address, draw(FILES), draw(st.integers(1, 1 << 20))) for address in addresses)


@st.composite
def modules(draw: st.DrawFn, max_base: int = 1 << 47) -> Module:
    """A module with header, functions and footer."""
    base = draw(st.integers(1, max_base // 4096 - 64)) * 4096
    name = draw(ATOMS)
    at = base + draw(st.integers(8, 200))
    ranges = [Range(base, at, f"{name}::codeHeader", ())]
    for number in range(draw(st.integers(0, 4))):
        function = f"{name}:f{number}/{draw(st.integers(0, 30))}"
        start = at + draw(st.integers(40, 64))
        stop = start + draw(st.integers(8, 500))
        has_lines = draw(st.booleans())
        ranges.append(Range(at, start, function + CODE_INFO, ()))
        ranges.append(Range(start, stop, function, draw(lines_within(start, stop)) if has_lines else ()))
        at = stop
    ranges.append(Range(at, at + draw(st.integers(0, 100)), f"{name}::codeFooter", ()))
    return Module(name, base, ranges[-1].stop - base, tuple(ranges))
