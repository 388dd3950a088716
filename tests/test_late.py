"""Classes whose methods are made late are what `dataclasses` makes."""

from __future__ import annotations

import dataclasses
import re
import signal
import threading
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass, replace

import pytest

from beamgdb.late import dataclass
from tests.harness.gdb import REPOSITORY


@dataclass(frozen=True)
class Base:
    one: int
    two: tuple[int, ...] = ()


@dataclass(frozen=True)
class Derived(Base):
    three: str = "3"


class Plain(Derived):
    pass


@dataclass
class Own:
    one: int

    def __init__(self) -> None:
        self.one = 7


@dataclass(frozen=True)
class Asked:
    one: int


@dataclass
class Held:
    one: int


def test_what_is_made() -> None:
    made = Plain(1, three="x")
    assert (repr(made), made, hash(made)) == (
        "Plain(one=1, two=(), three='x')", Plain(1, (), "x"), hash(Plain(1, (), "x"))
    )  # fmt: skip
    assert made != Derived(1, (), "x")
    assert replace(made, one=2) == Plain(2, (), "x")
    assert asdict(Base(5)) == {"one": 5, "two": ()}
    with pytest.raises(FrozenInstanceError):
        Base(1).one = 2  # type: ignore[misc]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'one'"):
        Base()  # type: ignore[call-arg]
    assert Own() == Own()
    assert is_dataclass(Asked)
    assert [field.name for field in fields(Asked)] == ["one"]
    match Derived(4):
        case Derived(one, _, three):
            assert (one, three) == (4, "3")


def test_ctrl_c_while_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes once the class is whole."""
    made = dataclasses.dataclass

    def interrupted(cls: type, **options: bool) -> type:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        whole: type = made(cls, **options)
        return whole

    monkeypatch.setattr("dataclasses.dataclass", interrupted)
    # (What a shell runs in the background ignores it.)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Held(1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert Held(1) == Held(1)


def test_the_whole_extension_has_it() -> None:
    """What is made while GDB starts is waited for at each start."""
    files = [path for path in (REPOSITORY / "beamgdb").rglob("*.py") if path.name != "late.py"]
    others = [path for path in files if re.search(r"^from dataclasses import .*\bdataclass\b", path.read_text(), re.M)]
    assert (len(files) > 200, others) == (True, [])
