"""Old code and purges, in states that no program reaches on demand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from beamgdb.memory import Unreadable
from beamgdb.terms.source import Limits
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.purging import PurgeColumns
from beamgdb.views.terms import Terms
from beamgdb.vm import old_literals
from beamgdb.vm.processes import Process
from beamgdb.vm.purging import NATIVE_CALL, REMOTE_CALL, Asks, OldCode
from beamgdb.vm.signals import OUTER
from jit.otp.tags import ARITY_SHIFT, IMMED1_BITS, PID, SIGNAL_HEADER
from tests.views.test_rows import Unseen
from tests.vm.image import LAYOUT, Image
from tests.vm.test_processes import process_table

OLD, SIZE, ELSEWHERE = 0x5000_0000, 0x1000, 0x6000_0000


def with_old_code(image: Image, seg_table: int | None = None, *bad: int) -> None:
    """A module that has old code, behind others at bad addresses; or a table of modules that is damaged."""
    image.atoms("aged")
    module = image.struct("Module", {"module": 0, "old.code_hdr": OLD, "old.code_length": SIZE})
    pages = image.words(image.words(*bad, module.address)) if seg_table is None else seg_table
    table = {"entries": 1 + len(bad), "seg_table": pages}
    image.symbols["module_tables"] = image.struct("IndexTable", table).address
    image.symbols["the_active_code_index"] = image.words(0)


def holders(fields: Mapping[str, int], running: bool) -> list[tuple[str, int]]:
    """In what way the only process, which has begun a native call with these fields, is in old code, and where."""
    image = Image()
    with_old_code(image)
    call = image.struct("ErtsNativeFunc", fields)
    psd = image.words(*[0] * NATIVE_CALL, call.address, *[0] * 8)
    image.symbols["erts_proc"] = process_table(image, {5: 0}, {"psd": psd, "i": ELSEWHERE}).address
    node = image.node()
    found = list(OldCode(node).holders([(one, iter(())) for one in node.processes] if running else ()))
    assert all(node.term(one.module) == "aged" for one in found)
    return [(one.how, one.at) for one in found]


@pytest.mark.parametrize("running", [False, True])
def test_native_calls(running: bool) -> None:
    """What the VM asks as well: where it was begun, and of which functions it is noted to be."""
    size = LAYOUT.size("ErtsCodeMFA")
    for path, behind in (("pc", 0), ("mfa", size), ("current", size)):
        others = {"pc": ELSEWHERE, "mfa": ELSEWHERE, "current": 0}
        assert holders({**others, path: OLD + 8}, running) == [("native call there", OLD + 8 + behind)]
        # It is over.
        assert holders({**others, path: OLD + 8, "argc": 2**32 - 1}, running) == []
    assert holders({"pc": ELSEWHERE, "mfa": OLD + SIZE, "current": 0}, running) == []
    assert holders(dict.fromkeys(("pc", "mfa", "current"), OLD + 8), running) == [("native call there", OLD + 8)]


def test_calls_that_are_no_requests_of_the_purger() -> None:
    """Much else is brought by such signals: only what asks for old code, on the purger's behalf, is a request."""
    purger, other = 7 << IMMED1_BITS | PID, 9 << IMMED1_BITS | PID
    check, collect = LAYOUT.constants["ERTS_PSTT_CPC"], LAYOUT.constants["ERTS_PSTT_GC_MAJOR"]

    def asked(kind: int, requester: int) -> bool:
        image = Image()
        task = image.struct("ErtsProcSysTask", {"type": kind, "requester": requester})
        return waits_for(image, task.address)

    def waits_for(image: Image, argument: int) -> bool:
        signal = image.block(LAYOUT.size("ErtsNonMsgSignal") + 8 * 8)
        image.poke(signal + LAYOUT.offset("ErtsNonMsgSignal", "tag"), SIGNAL_HEADER | REMOTE_CALL << ARITY_SHIFT)
        image.poke(signal + LAYOUT.size("ErtsNonMsgSignal") + 2 * 8, argument)
        image.symbols["erts_proc"] = process_table(image, {5: 0}, {OUTER: signal}).address
        node = image.node()
        asks = Process(image.struct("Process", {"common.id": purger}), node.tags)
        may_ask = lambda signal: signal.operation == REMOTE_CALL  # noqa: E731
        return bool(list(Asks(node, asks, "ERTS_PSTT_CPC", may_ask).unanswered(lambda: None)))

    assert asked(check, purger)
    assert not asked(check, other)
    assert not asked(collect, purger)
    assert not waits_for(Image(), 0)
    assert not waits_for(Image(), 0xBAD0)


def test_a_request_to_copy_literals() -> None:
    """It comes as a signal to adjust the queue, of which there are others, that a process sends to itself."""
    collector, other = 2 << IMMED1_BITS | PID, 9 << IMMED1_BITS | PID

    def asked(operation: int, sender: int) -> bool:
        image = Image()
        signal = image.block(LAYOUT.size("ErtsMessageRef") + 8 * 8)
        at = signal + LAYOUT.offset("ErtsMessageRef", "m")
        image.poke(at, SIGNAL_HEADER | operation << ARITY_SHIFT)
        image.poke(at + 2 * 8, sender)
        image.symbols["erts_proc"] = process_table(image, {5: 0}, {OUTER: signal}).address
        node = image.node()
        asks = Process(image.struct("Process", {"common.id": collector}), node.tags)
        request = Asks(node, asks, "ERTS_PSTT_CLA", lambda one: old_literals._asks(node, one, collector))
        return bool(list(request.unanswered(lambda: None)))

    assert asked(old_literals.ADJUST_QUEUE, collector)
    assert not asked(old_literals.ADJUST_QUEUE, other)
    assert not asked(REMOTE_CALL, collector)


def test_a_damaged_table_of_modules() -> None:
    """What a purge waits for does not depend on it."""
    image = Image()
    with_old_code(image, seg_table=0x10)
    image.symbols["erts_proc"] = process_table(image, {5: 0}, {}).address
    node = image.node()
    with pytest.raises(Unreadable):
        OldCode(node)
    threads = Unseen(node)
    processes = ProcessColumns(node, threads, Terms(node, Limits()).syntax)
    shown = PurgeColumns(node, threads, processes, lambda: None)
    assert list(shown.items()) == []
    assert [note.partition(":")[0] for note in shown.notes()] == ["(which code is old is not known"]


def test_a_damaged_module() -> None:
    """The others are looked at all the same."""
    image = Image()
    with_old_code(image, None, 0xBAD0)
    image.symbols["erts_proc"] = process_table(image, {5: 0}, {"i": OLD + 8}).address
    old = OldCode(image.node())
    assert [one.at for one in old.holders(())] == [OLD + 8]
    assert len(old.damaged) == 1
