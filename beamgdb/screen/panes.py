"""The panes: each makes lines of answers. What it asks for while it does so is what is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from beamgdb.brackets import opens as may_open
from beamgdb.late import dataclass
from beamgdb.screen.lines import Asked, Column, Deed, Line, Piece, line, note, table
from jit.system.controls import harmless

ROWS: Final = 1000
"""Rows of a list that are asked for."""

DEEPEST: Final = 40
"""Levels of a term that are unfolded."""

LEVEL: Final = 4
"""Columns by which one is further right."""

ADVICE: Final = re.compile("`(thread [0-9]+)`")
"""A command that a text advises."""

CONDITION: Final = re.compile(r"\s*[a-z_]+\s*(!=|<=|>=|=|<|>|~)\s*[^\s=]")
"""What `-where` takes."""

PLACE: Final = "beam-context -json source stack registers code"


@dataclass(frozen=True)
class Pane:
    """One: `key` shows it. What can be `sorted` has a column by which it is at first."""

    key: str
    name: str
    lines: Callable[[Asked], list[Line]]
    sorted: str | None = None
    help: str = ""
    """What keys do in it."""
    live_help: str = ""
    """What more they do where the target can run."""


# -- why ---------------------------------------------------------------------------------------------------------------


def why(asked: Asked) -> list[Line]:
    """What happened, in words; and which VM it is."""
    found, trouble = asked.ask("beam-why -json")
    lines = trouble or [line(text, "heading" if not number else "") for number, text in enumerate(found["text"])]
    facts, trouble = asked.ask("beam-info -json")
    lines += [line(""), *(trouble or [line(f"{one['name'] + ':':<18} {one['text']}", "dim") for one in facts])]
    return lines


# -- the place ---------------------------------------------------------------------------------------------------------


def source(asked: Asked) -> list[Line]:
    """The source, with the current line; without it the code."""
    place, trouble = asked.ask(PLACE)
    if trouble:
        return trouble
    found = place["source"]
    if found is None:
        where = note(f"(the source of {place['function']} is not found)") if place["function"] else None
        return [*([where] if where else []), *_code(place)]
    wide = len(str(found["lines"][-1]["number"]))
    lines = [note(found["path"])]
    for one in found["lines"]:
        is_current = one["is_current"]
        pieces = (("dim", f"{'=>' if is_current else '  '} {one['number']:>{wide}}  "), ("", one["text"]))
        spot = f"{found['path'].rpartition('/')[2]}:{one['number']}"
        lines.append(Line(pieces, Deed("command", f"beam-break {spot}"), is_current))
    return lines


def code(asked: Asked) -> list[Line]:
    """Operations of the BEAM with machine code."""
    place, trouble = asked.ask(PLACE)
    return trouble or _code(place)


def _code(place: Mapping[str, Any]) -> list[Line]:
    if place["code"] is None:
        return _nothing(place, "code")
    return list(map(_row, place["code"]))


def _nothing(place: Mapping[str, Any], section: str) -> list[Line]:
    """Why a section of the place is not there. What that advises, Enter does."""
    text = place["errors"].get(section) or place["elsewhere"] or "(no Erlang runs here)"
    advice = ADVICE.search(text)
    return [line(text, "", Deed("command", advice[1]) if advice else None)]


def _row(row: Mapping[str, Any]) -> Line:
    kind = row["row"]
    if kind == "function":
        return line(f"{row['name']}, {row['kind']}, {row['size']} bytes", "heading")
    if kind == "source":
        return line(f" {row['file']}:{row['line']}", "file")
    if kind == "operation":
        return line(f"  {row['text']}:" if row["is_label"] else f"    {row['text']}", "function")
    if kind == "instruction":
        mark = "=>" if row["is_current"] else "  "
        comment = f" ; {row['comment']}" if row["comment"] else ""
        target, offset = ">" if row["is_target"] else " ", f"<{row['offset']:+}>"
        head = f"{mark}  {target} {row['address']:#x} {offset:7}  "
        return Line(
            (("dim", head), ("", harmless(f"{row['text']:32}")), ("dim", harmless(comment))), None, row["is_current"]
        )
    return note(f"({row['size']} bytes from {row['address']:#x} on are left out)")


def stack(asked: Asked) -> list[Line]:
    """The Erlang stack, with arguments and y registers that unfold; and x registers."""
    place, trouble = asked.ask(PLACE)
    if trouble:
        return trouble
    rows = place["stack"]
    if not rows:
        return _nothing(place, "stack")
    return list(_stack(asked, rows))


def _stack(asked: Asked, rows: Sequence[Mapping[str, Any]], *, is_headed: bool = True) -> Iterator[Line]:
    """The lines of a stack, or what is below its heading. What is unfolded in a frame stays so until its function is
    left, whatever that calls: it is known by the process, the function, and how many frames have called it."""
    owner, deepest = "", max((row["number"] for row in rows if row["row"] == "frame"), default=0)
    deepest += sum(row["frames"] for row in rows[-1:] if row["row"] == "left_out")
    for row in rows:
        if row["row"] == "process":
            owner = row["pid"]
        if is_headed or row["row"] != "process":
            own = f"{owner} {row['function']} {deepest - row['number']}" if row["row"] == "frame" else ""
            yield from _stack_row(asked, row, own)


def _stack_row(asked: Asked, row: Mapping[str, Any], own: str) -> Iterator[Line]:
    kind = row["row"]
    if kind == "process":
        thread = row["thread"]
        where = f" on thread {thread['number']}" if thread else ""
        yield line(f"P{row['description'][1:]}: {row['status']}{where}", "heading", Deed("process", row["pid"]))
    elif kind == "frame":
        level = row.get("level")
        name = row["function"] or row["note"] or "<unknown code>"
        spot = f" at {row['file'].rpartition('/')[2]}:{row['line']}" if row["file"] else ""
        is_selected = bool(row.get("is_selected"))
        mark = "=>" if is_selected else "  "
        deed = Deed("command", f"frame {level}") if level is not None else None
        pieces = (("dim", f"{mark} #{row['number']:<3}"), ("function", harmless(name)), ("file", harmless(spot)))
        yield Line(pieces, deed, is_selected)
        for one in row["variables"]:
            path = f"{own}.{one['name'].partition(' ')[0]}"
            yield from _term(asked, path, one["name"], one["word"], one["text"], 9, None)
    elif kind == "left_out":
        least = "more than " if row["are_more"] else ""
        yield note(f"({least}{row['frames']} more frame{'s' if least or row['frames'] != 1 else ''})")
    else:
        yield line(f"(the stack is damaged here or missing: {row['why']})", "error")


def _term(
    asked: Asked, path: str, name: str, word: int | None, text: str, indent: int, has_parts: bool | None
) -> Iterator[Line]:
    """A term, and below it its parts if it is unfolded. Whether it has any its text shows, where nobody has said."""
    opens = word is not None and (may_open(text) if has_parts is None else has_parts)
    is_open = opens and path in asked.unfolded
    mark = ("▾ " if is_open else "▸ ") if opens else "  "
    pieces: tuple[Piece, ...] = (
        ("", " " * (indent - 2)),
        ("dim", mark),
        ("name", harmless(name)),
        ("", harmless(f" = {text}")),
    )
    yield Line(pieces, Deed("unfold", path) if opens else None)
    if not is_open:
        return
    if indent > DEEPEST * LEVEL:
        yield note(" " * (indent + 2) + "(what lies deeper is for `eterm`)")
        return
    found, trouble = asked.ask(f"eterm -json {word}")
    if trouble:
        yield from trouble
        return
    for one in found["parts"]:
        own = f"{path}/{one['name']}"
        yield from _term(asked, own, one["name"], one["word"], one["text"], indent + LEVEL, one["has_parts"])
    if not found["parts"]:
        yield note(" " * (indent + 2) + "(it has no parts that can be shown)")
    if found["has_more"]:
        yield note(" " * (indent + 2) + "(more: set beam-width N)")


def registers(asked: Asked) -> list[Line]:
    """x registers that are in use."""
    place, trouble = asked.ask(PLACE)
    if trouble:
        return trouble
    if place["registers"] is None:
        return _nothing(place, "registers")
    lines: list[Line] = []
    for one in place["registers"]:
        lines += _term(asked, f"{place['function']}.{one['name']}", one["name"], one["word"], one["text"], 3, None)
    return lines or [note("(none is known to be in use here; `xreg` shows what was left in them)")]


# -- lists -------------------------------------------------------------------------------------------------------------


def _listed(
    command: str, columns: Sequence[Column], deed: Callable[[Mapping[str, Any]], Deed | None]
) -> Callable[[Asked], list[Line]]:
    """A pane that lists what a command does. What is typed behind `/` with an operator, as `queue>10`, GDB looks for
    among all; else what has been listed is looked through."""

    def lines(asked: Asked) -> list[Line]:
        looks = asked.looks
        sort = f" -sort {looks.sort}{' -reverse' if looks.reverse else ''}" if looks.sort else ""
        where = f" -where {_quoted(looks.filter)}" if is_condition(looks.filter) else ""
        rows, trouble = asked.ask(f"{command} -json -limit {ROWS}{sort}{where}")
        if trouble:
            return trouble
        found = table(rows, columns, looks if not where else type(looks)(looks.sort, looks.reverse), deed)
        more = f"(the first {ROWS}; /{columns[0].key}~TEXT looks through all)"
        return [*found, note(more)] if len(rows) == ROWS else found

    return lines


def is_condition(text: str) -> bool:
    """Whether it asks for a column, with a value behind an operator; which columns there are GDB knows."""
    return CONDITION.match(text) is not None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "").replace('"', "") + '"'


def _pid_of(key: str) -> Callable[[Mapping[str, Any]], Deed | None]:
    return lambda row: Deed("process", str(row[key])) if row.get(key) else None


PROCESSES: Final = (
    Column("pid", "PID"), Column("memory", "MEMORY", True), Column("queue", "QUEUE", True),
    Column("reductions", "REDUCTIONS", True), Column("status", "STATUS"), Column("called", "NAME", style="name"),
    Column("current", "IN", style="function"),
)  # fmt: skip
SCHEDULERS: Final = (
    Column("scheduler", "SCHEDULER"), Column("thread", "THREAD", True), Column("state", "STATE"),
    Column("runs", "RUNS"), Column("queue", "QUEUE", True), Column("ports", "PORTS", True),
    Column("switches", "SWITCHES", True),
)  # fmt: skip
TABLES: Final = (
    Column("name", "NAME", style="name"), Column("type", "TYPE"), Column("objects", "OBJECTS", True),
    Column("memory", "MEMORY", True), Column("owner", "OWNER"), Column("protection", "PROTECTION"),
    Column("id", "ID", style="dim"),
)  # fmt: skip


def tables(asked: Asked) -> list[Line]:
    """ETS tables, or the objects of the one that was chosen."""
    if asked.table is None:
        return _listed("beam-ets", TABLES, lambda row: Deed("table", f"{row['id'] or row['address']} {row['name']}"))(
            asked
        )
    which, _, name = asked.table.partition(" ")
    objects, trouble = asked.ask(f"beam-ets-objects -json -limit {ROWS} {which}")
    back = line(f"◂ {name}, {which}: Enter goes back to all tables", "heading", Deed("table", ""))
    if trouble:
        return [back, *trouble]
    wanted = asked.looks.filter.lower()
    shown = [line(text) for text in objects if wanted in text.lower()]
    cut = f"(the first {ROWS}; `beam-ets-objects -limit N {which}` shows more)"
    return [back, *(shown or [note("(none)")]), *([note(cut)] if len(objects) == ROWS else [])]


# -- one process -------------------------------------------------------------------------------------------------------


def process(asked: Asked) -> list[Line]:
    """One in full: that which was chosen, else that which the selected thread runs; with its stack."""
    which = f" {asked.process}" if asked.process else ""
    found, trouble = asked.ask(f"beam-process -json -limit 50{which}")
    if trouble:
        return trouble
    name = f" {found['name']}" if found["name"] else ""
    lines = [line(f"Process {found['pid']}{name}: {found['status']}", "heading", Deed("process", found["pid"]))]
    for key in ("label", "current", "spawned", "parent", "group_leader", "priority", "reductions"):
        if found[key] is not None:
            lines.append(_fact(key.replace("_", " "), str(found[key])))
    if found["flags"]:
        lines.append(_fact("flags", ", ".join(found["flags"])))
    for key, title in (("heap", "heap"), ("old_heap", "old heap")):
        if found[key]:
            lines.append(_fact(title, f"{found[key]['used']} of {found[key]['size']} words"))
    if found["state_word"] is not None:
        lines += _term(asked, f"{found['pid']}.state", "state", found["state_word"], found["state"], 4, None)
    for key in ("messages", "links", "monitors", "monitored_by", "dictionary"):
        lines += _items(key.replace("_", " "), found[key])
    rows, trouble = asked.ask(f"beam-bt -json -limit 50 {found['pid']}")
    lines.append(line("stack", "heading"))
    return [*lines, *_stack(asked, rows or (), is_headed=False), *trouble]


def _fact(name: str, text: str) -> Line:
    return Line((("name", f"  {name + ':':15}"), ("", harmless(text))))


def _items(title: str, items: Mapping[str, Any]) -> Iterator[Line]:
    others = items["others"]
    if items["shown"] or others:
        count = "an unknown number" if others is None else str(len(items["shown"]) + others)
        yield _fact(title, count)
        yield from (line(f"    {text}") for text in items["shown"])
        if others:
            yield note(f"    ({others} more)")


# -- breakpoints -------------------------------------------------------------------------------------------------------


BREAKPOINTS: Final = (
    Column("number", "NUMBER", True), Column("on", "ON"), Column("hits", "HITS", True), Column("where", "WHERE"),
)  # fmt: skip


def breakpoints(asked: Asked) -> list[Line]:
    """Those of Erlang; Enter turns one off and on."""
    rows, trouble = asked.ask("beam-breakpoints -json")
    if trouble:
        return trouble
    shown = [{**row, "on": "on" if row["enabled"] else "off", "where": _spot(row)} for row in rows]
    return table(
        shown, BREAKPOINTS, asked.looks,
        lambda row: Deed("command", f"{'disable' if row['enabled'] else 'enable'} {row['number']}"),
        lambda row: f"delete {row['number']}",
    )  # fmt: skip


def _spot(row: Mapping[str, Any]) -> str:
    notes = [f"process {row['process']}"] if row["process"] else []
    notes += [f"if {row['condition']}"] if row["condition"] else []
    places = [f"{one['function']} at {one['file']}:{one['line']}" for one in row["places"] if one["file"]]
    return ", ".join([*(places or [row["location"] + ("" if row["places"] else " (not loaded yet)")]), *notes])


PANES: Final = (
    Pane("1", "Why", why),
    Pane("2", "Source", source, live_help="Enter: breakpoint  i: if"),
    Pane("3", "Stack", stack, help="Enter: unfold, select"),
    Pane("4", "Code", code),
    Pane("5", "Processes", _listed("beam-ps", PROCESSES, _pid_of("pid")), "memory", "Enter: open"),
    Pane("6", "Process", process, help="Enter: unfold", live_help="m: to a message"),
    Pane("7", "Schedulers", _listed(
        "beam-schedulers", SCHEDULERS,
        lambda row: Deed("command", f"thread {row['thread']}") if row.get("thread") else None,
    ), None, "Enter: select"),
    Pane("8", "ETS", tables, "memory", "Enter: open"),
    Pane("9", "Breakpoints", breakpoints, live_help="Enter: off/on  Del"),
    Pane("x", "Registers", registers, help="Enter: unfold"),
)  # fmt: skip

SORTED: Final = {"Processes": PROCESSES, "Schedulers": SCHEDULERS, "ETS": TABLES}
"""The columns by which panes can be sorted."""


def arrangement(columns: int, lines: int, chosen: str) -> list[list[str]]:
    """Which panes a screen of so many columns and lines has room for: columns of names, from the top down. The chosen
    one is always there."""
    if columns < 120 or lines < 36:
        return [[chosen]]
    left, right = ["Source", "Stack"], ["Processes", "Process"]
    if chosen in left + right:
        return [left, right]
    return [left, [chosen, "Process"]] if chosen != "Code" else [["Code", "Stack"], right]
