"""What is told of lines that GDB writes."""

from __future__ import annotations

from beamgdb.screen.connection import Connection, Happened


def told(*lines: bytes) -> list[tuple[str, str]]:
    """What of these lines is told, and its text."""
    found: list[Happened] = []
    connection = Connection(found.append)
    for line in lines:
        connection._take_line(line)
    return [(one.what, one.text) for one in found]


def test_lines_of_other_programs_stay_lines() -> None:
    """As of `shell`, whose program writes to where GDB does."""
    assert told(b"a file", b"another", b'~"GDB\\n"') == [("text", "a file\n"), ("text", "another\n"), ("text", "GDB\n")]


def test_letters() -> None:
    """GDB escapes of each those bytes that are no letters of Latin-1."""
    assert told(b'~"\xc3\\205sa, \xe6\\227\xa5\\n"', "å".encode()) == [("text", "Åsa, 日\n"), ("text", "å\n")]


def test_programs_that_come_and_go() -> None:
    lines = (b'=thread-group-started,id="i1",pid="12"', b'=thread-group-exited,id="i1"')
    assert told(*lines) == [("begun", "i1"), ("gone", "i1")]


def test_what_makes_no_sense_ends_nothing() -> None:
    for line in (b"*stopped,{{{", b"^^^", b"=,,", b"\xff\xfe"):
        *others, last = told(line, b'~"on"')
        assert last == ("text", "on")
        assert {what for what, _ in others} <= {"text", "stopped"}
