"""Who holds a term: all places where its word stands, in memory that holds terms and on stacks.

The bytes of the word are searched for in all that memory; only where they are found is it told what stands there, for
digits of an integer may look like anything. A binary outside of the heaps is held by things that count it; what leads
to these, such as parts of it, holds it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.terms import packed
from beamgdb.terms.source import Limits
from beamgdb.terms.values import Bitstring
from beamgdb.vm import off_heap, process_dictionary, signals
from beamgdb.vm.backtrace import MAX_LEVELS, Level, StackEnds, saved_arguments
from beamgdb.vm.ets import EtsTable
from beamgdb.vm.heap_walk import PIECE, Found, Walker
from beamgdb.vm.heaps import Area, Heaps, Owner
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.monitor_links import MonitorLinks
from beamgdb.vm.persistent_terms import PersistentTerms
from beamgdb.vm.processes import Process
from beamgdb.vm.resources import Resource, Resources, type_named
from beamgdb.vm.timers import Timers
from jit.otp.tags import BOXED, CONS, HEADER, PRIMARY_MASK, Kind
from jit.otp.things import ErlBinMatchState

FIELDS: Final = ("group_leader", "parent", "fvalue", "ftrace", "seq_trace_token")
"""Of a process that are terms."""

MAX_IN_MESSAGE: Final = 1 << 14
"""Parts of a timer's message that are looked at."""

BRIEF: Final = Limits(depth=2, width=5, bytes=40, nodes=20)
"""How much of a persistent term's key names it."""

Levels = Callable[[Process], Iterator[Level]]
"""The stack of a process, from its innermost frame on."""


@dataclass(frozen=True)
class Reference:
    """A place that holds a term: in memory of `owner`, called `area`, at `address`, or not in memory that can be told.
    It is the word number `place` of the thing or cell `inside`; or, without one, `area` says all."""

    owner: Owner
    area: str
    address: int | None = None
    inside: Found | None = None
    place: int = 0
    packed: Packed | None = None


class Packed(NamedTuple):
    """What holds a term in a compressed table: element number `element` of its object, a tuple as a term, which is it,
    or has it packed in it. `size`: bytes of a binary, or of a part of one."""

    table: EtsTable
    object: int
    element: int
    size: int | None = None


def words_of(vm: Vm, word: int) -> frozenset[int]:
    """The words by which a term is held: of an address those that lead to a thing or a cell there, and itself, by which
    what is outside is held."""
    literal = vm.tags.literal_bit
    if word & PRIMARY_MASK == HEADER:
        tagged = [word | CONS, word | BOXED]
        return frozenset((word, *tagged, *(one | literal for one in tagged)))
    return frozenset((word, word | literal) if word & PRIMARY_MASK in (CONS, BOXED) else (word,))


def _resources(vm: Vm) -> Resources | None:
    try:
        return Resources(vm)
    except (Unavailable, KeyError):
        return None


class Holders:
    """Who holds one term; raises `Unavailable` as its parts do. `levels` tells the stacks of processes.
    `advance` is called for each piece of memory."""

    def __init__(self, vm: Vm, word: int, levels: Levels, advance: Callable[[], None]) -> None:
        self._vm = vm
        self._memory, self._word = vm.memory, vm.memory.word_size
        self._heaps, self._walker = Heaps(vm), Walker(vm.memory, vm.tags, advance)
        self._levels = levels
        self._resources = _resources(vm)
        self._wanted = words_of(vm, word)
        # (Who means the object of a resource means what terms for it lead to.)
        resource = self._resources.of_object(word) if self._resources and word & PRIMARY_MASK == HEADER else None
        if resource is not None:
            self._wanted |= {resource.address}
        self.left_out: list[str] = []
        """What was not looked through, and why."""
        self._links = MonitorLinks(vm.tags.release)
        self._value = vm.value(word) if word & PRIMARY_MASK == PRIMARY_MASK else None
        self._bytes = (
            packed.bytes_of(self._value) if self._value is not None else tuple(map(self._bytes_of, self._wanted))
        )
        self._counter = counter = off_heap.counter(vm)
        self._addresses = {
            counter.kind: counter.value // self._word, Kind.MATCH_STATE: ErlBinMatchState.ORIG,
            Kind.REF: vm.layout.offset("ErtsMRefThing", "mb") // self._word,
        }  # fmt: skip
        """Words behind the header that lead to something though they are no terms, by the kinds of things."""

    @property
    def damaged(self) -> list[Unreadable]:
        """What could not be looked at."""
        return self._heaps.damaged

    def everywhere(self) -> Iterator[list[Reference]]:
        """The places of each process, table and module."""
        for process in self._heaps.processes():
            yield self._of_process(process)
        for table in self._heaps.tables():
            owner = Owner(self._vm, table)
            named = (("name", table.name), ("owner", table.owner))
            found = [Reference(owner, name) for name, word in named if word in self._wanted]
            found += self._in_memory(owner, self._heaps.of_table(table), self._wanted)
            things = self._things(found)
            found += self._in_memory(owner, self._heaps.of_table(table), things) if things else ()
            yield [*found, *self._in_packed(owner, table)]
        for header, area in self._heaps.literals():
            yield list(self._in_memory(Owner(self._vm, header), [area], self._wanted))
        parts = (
            ("persistent terms", self._in_persistent_terms), ("timers", self._in_timers),
            ("resources", self._in_resources),
        )  # fmt: skip
        for what, found_in in parts:
            try:
                yield from found_in()
            except (Unavailable, Unreadable, KeyError) as error:
                self.left_out.append(f"{what} are not looked through: {error}")

    def _in_persistent_terms(self) -> Iterator[list[Reference]]:
        for term in PersistentTerms(self._vm):
            self._walker.advance()
            if isinstance(term, Unreadable):
                self.damaged.append(term)
            elif term.end is None or not self._heaps.is_sound(term.address, term.end):
                self.damaged.append(Unreadable(term.address, self._word))
            else:
                owner = Owner(self._vm, f"persistent term {self._vm.term(term.key, BRIEF)}")
                area = Area("persistent term", term.address, term.end)
                yield list(self._in_memory(owner, [area], self._wanted))

    def _in_timers(self) -> Iterator[list[Reference]]:
        """Messages that are to be sent, and to whom."""
        for timer in Timers(self._vm):
            self._walker.advance()
            if isinstance(timer, Unreadable):
                self.damaged.append(timer)
            elif timer.message is not None:
                owner, found = Owner(self._vm, f"timer {timer.reference}"), []
                if timer.receiver in self._wanted:
                    found.append(Reference(owner, "receiver", timer.address))
                if self._leads_to(timer.message):
                    found.append(Reference(owner, "message", timer.address))
                yield found

    def _in_resources(self) -> Iterator[list[Reference]]:
        """Words of the objects of NIFs' resources that may be what is wanted: what a NIF has in them only it knows."""
        for one in Resources(self._vm, self._walker.advance).every():
            owner = Owner(self._vm, self._name_of(one))
            area = Area("may hold", one.data, one.data + one.size)
            try:
                yield [
                    Reference(owner, f"may hold, at +{at - one.data}", at) for at in self._places(area, self._wanted)
                ]
            except Unreadable as error:
                self.damaged.append(error)

    def _name_of(self, resource: Resource) -> str:
        return f"resource {resource.data:#x} of {type_named(self._vm, resource.type)}"

    def _leads_to(self, word: int) -> bool:
        """Whether a term is what is wanted, or has it in it: how large the memory of a timer's message is, is not
        known."""
        left, seen = [word], {word}
        while left and len(seen) < MAX_IN_MESSAGE:
            word = left.pop()
            if word in self._wanted:
                return True
            if word & PRIMARY_MASK in (BOXED, CONS):
                for part in self._vm.parts(word, MAX_IN_MESSAGE):
                    new = {one for one in (part.word, part.key) if one is not None} - seen
                    seen |= new
                    left += new
        return False

    # -- one process ---------------------------------------------------------------------------------------------------

    def _of_process(self, process: Process) -> list[Reference]:
        owner = Owner(self._vm, process)
        found: list[Reference] = []
        for part in (self._on_stack, self._in_fields, self._in_messages, self._in_links):
            try:
                found += part(owner, process)
            except (Unreadable, StackEnds, Unavailable, KeyError) as error:
                if isinstance(error, Unreadable):
                    self.damaged.append(error)
        areas = list(self._heaps.of_process(process))
        inside = list(self._in_memory(owner, areas, self._wanted))
        things = self._things(inside)
        if things:
            inside += self._in_memory(owner, areas, things)
        return [*found, *(self._dictionary(process, one) for one in inside)]

    def _things(self, found: Iterable[Reference]) -> frozenset[int]:
        """The things, as words, that lead to what is wanted though that is no term."""
        return frozenset(
            one.inside.word for one in found if one.inside is not None and self._is_address(one.inside, one.place)
        )

    def _on_stack(self, owner: Owner, process: Process) -> Iterator[Reference]:
        record = process.record
        if not process.is_running() and process.has_sound_stack():
            stack = self._memory.read(record["stop"], record["hend"] - record["stop"])
            arguments = saved_arguments(process) or []
            for number, word in enumerate(arguments):
                if word in self._wanted:
                    yield Reference(owner, f"x{number}", record["arg_reg"] + number * self._word)
            if not any(self._find(stack, word) for word in self._wanted):
                return
        for number, level in zip(range(MAX_LEVELS), self._levels(process)):
            for register, word in enumerate(level.y_registers):
                if word in self._wanted:
                    function = level.place.code.name if level.place is not None else hex(level.pc)
                    yield Reference(owner, f"y{register} of frame {number}, {function}")

    def _in_fields(self, owner: Owner, process: Process) -> Iterator[Reference]:
        record = process.record
        for name in FIELDS:
            if record.layout.has("Process", name) and record[name] in self._wanted:
                yield Reference(owner, name.replace("_", " "), record.field_address(name))
        if process.registered_name() in self._wanted:
            yield Reference(owner, "registered name")

    def _in_messages(self, owner: Owner, process: Process) -> Iterator[Reference]:
        number, message = 0, self._vm.layout.offset("ErtsMessageRef", "m")
        for signal in signals.everywhere(process.record):
            number += signal.is_message
            if signal.is_message and signal.tag in self._wanted:
                yield Reference(owner, f"message {number}", signal.address + message)

    def _in_links(self, owner: Owner, process: Process) -> Iterator[Reference]:
        if not any(word & PRIMARY_MASK == PRIMARY_MASK for word in self._wanted):
            return
        links = self._links
        for name, sides in (("link", links.links), ("monitor", links.monitors), ("monitored by", links.monitored_by)):
            for side in sides(process.record):
                if side.other in self._wanted or side.name in self._wanted:
                    yield Reference(owner, name)
                elif side.resource is not None and process.id in self._wanted and self._resources is not None:
                    resource = self._resources.of_record(side.resource)
                    if resource is not None:
                        yield Reference(Owner(self._vm, self._name_of(resource)), "monitor")

    def _dictionary(self, process: Process, found: Reference) -> Reference:
        """The same, if it is in a pair of the dictionary by that name."""
        inside = found.inside
        if inside is None or inside.form is None or inside.form.kind is not Kind.TUPLE or inside.size != 3:
            return found
        try:
            pair = self._memory.pair(inside.address + self._word)
            if pair in process_dictionary.pairs(process.record):
                return Reference(found.owner, "dictionary", found.address, inside, found.place)
        except (Unreadable, KeyError):
            pass
        return found

    # -- compressed tables ---------------------------------------------------------------------------------------------

    def _in_packed(self, owner: Owner, table: EtsTable) -> Iterator[Reference]:
        """Elements of objects of a compressed table. (Keys are terms as elsewhere.)"""
        for one in self._heaps.packed_in(table):
            self._walker.advance()
            for number, word in enumerate(one.words):
                if number and word in self._wanted:
                    at = one.address + number * self._word
                    yield Reference(owner, "object", at, packed=Packed(table, one.address | BOXED, number))
            for number, start, end in one.packed:
                try:
                    for at, size in self._in_element(start, end):
                        found = Packed(table, one.address | BOXED, number, size)
                        yield Reference(owner, "packed object", at, packed=found)
                except Unreadable as error:
                    self.damaged.append(error)

    def _in_element(self, start: int, end: int) -> Iterator[tuple[int, int | None]]:
        """Where in a packed element there is what is wanted, with the bytes of a binary. Raises `Unreadable`."""
        if not self._may_have(start, end):
            return
        for term in self._vm.packed_terms(start, end):
            thing = packed.counted(term, self._vm.tags)
            if thing is not None:
                place = self._addresses[Kind.REF if term.tag == packed.MAGIC else self._counter.kind]
                if self._memory.word(thing + place * self._word) in self._wanted:
                    size = (term.value.bits + 7) // 8 if isinstance(term.value, Bitstring) else None
                    yield term.address, size
            elif term.tag == packed.STRING:
                text = self._memory.read(term.address + packed.STRING_HEAD, term.size - packed.STRING_HEAD)
                if self._value in text if isinstance(self._value, int) and 0 <= self._value <= 0xFF else False:
                    yield term.address, None
            elif term.value is not None and type(term.value) is type(self._value) and term.value == self._value:
                yield term.address, None

    def _may_have(self, start: int, end: int) -> bool:
        """Whether some bytes are there that a packed element has which holds what is wanted."""
        return any(
            one in self._memory.read(at, min(PIECE + len(one), end - at))
            for one in self._bytes
            for at in range(start, end, PIECE)
        )

    # -- memory --------------------------------------------------------------------------------------------------------

    def _in_memory(self, owner: Owner, areas: Iterable[Area], wanted: frozenset[int]) -> Iterator[Reference]:
        """Places in memory with terms."""
        for area in areas:
            try:
                places = self._places(area, wanted)
                for address, found in self._walker.inside(area.start, area.end, places) if places else ():
                    place = (address - found.address) // self._word
                    if found.address <= address and self._holds(found, place):
                        name = f"message {area.message}" if area.message else area.kind
                        yield Reference(owner, name, address, found, place)
            except Unreadable as error:
                self.damaged.append(error)

    def _places(self, area: Area, wanted: Iterable[int]) -> list[int]:
        """Addresses of words in order."""
        found: list[int] = []
        for start in range(area.start, area.end, PIECE):
            self._walker.advance()
            raw = self._memory.read(start, min(PIECE, area.end - start))
            found += (start + at for word in wanted for at in self._find(raw, word))
        return sorted(found)

    def _find(self, raw: bytes, word: int) -> list[int]:
        """Where a word stands."""
        pattern, size, found = self._bytes_of(word), self._word, []
        at = raw.find(pattern)
        while at >= 0:
            if at % size == 0:
                found.append(at)
            at = raw.find(pattern, at + 1)
        return found

    def _bytes_of(self, word: int) -> bytes:
        return word.to_bytes(self._word, self._memory.byteorder)

    def _holds(self, found: Found, place: int) -> bool:
        """Whether a word of a thing is what it seems."""
        form = found.form
        if form is None:
            return True
        return place > form.opaque or self._is_address(found, place)

    def _is_address(self, found: Found, place: int) -> bool:
        form = found.form
        return form is not None and 0 < place <= form.opaque and self._addresses.get(form.kind) == place
