"""`Roots`: the address of a variable or function of the VM by its C name, found when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Optional, Union

from beamgdb.code import module_tables
from beamgdb.code.code_ix import code_index
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records import allocator_table, descriptor_table, name_table, persistent_table
from beamgdb.records.record import Record
from beamgdb.roots import (
    allocators,
    code,
    descriptors,
    functions,
    interpreter,
    migration,
    schedulers,
    tables,
    texts,
)
from beamgdb.roots.snapshot import Snapshot
from jit.image import constants
from jit.image.image import Image, Recovered
from jit.image.operations import operations
from jit.otp.layouts.layout import Layout

PATIENCE = 8
"""Stops of a running VM at which is looked again for what was not found: then it is given up."""

CODE_INDICES = (functions.COMMIT, code.ACTIVE, code.STAGING)
"""Found together."""

ALWAYS = (tables.PROCESSES, tables.ATOMS, schedulers.NAMES[0])
"""What every look at a VM asks for."""

BY_FILE = (texts.DIRTY_MAIN, texts.EXIT, texts.NO_MEMORY)
"""Functions that the program's file tells alone, so that they may be looked for whenever one is to be named."""

Found = Mapping[str, Union[Recovered, str]]
"""What was looked for together: each name with what was found, or why nothing was. What is not named this VM has not,
whenever it is looked at."""

OwnCode = Callable[[str], Optional[tuple[int, int]]]
"""Start and end of the code of an Erlang function by its name, None where no such code is known."""


class Roots:
    """Those of one VM. A root that was found stays; for others is looked again when the target has run since: a VM that
    is just starting has no tables yet.

    `layout` is given as soon as it is known; without one only constants and what describes BeamAsm's code are found.
    `own_code` is what tells of that, once something does.
    """

    def __init__(self, memory: CachedMemory, image: Image) -> None:
        self._memory = memory
        self._image = image
        self.layout: Layout | None = None
        self.own_code: OwnCode = lambda _: None
        self._data: Snapshot | None = None
        self._found: dict[str, Recovered] = {}
        self._why: dict[str, str] = {}
        self._tried: set[Callable[[Roots], Found]] = set()
        self._absent: set[str] = set()
        self._failures: dict[Callable[[Roots], Found], int] = {}

    def __call__(self, name: str) -> int | None:
        """The address of this variable or function, None where it is not found."""
        found = self._root(name)
        return found.address if found is not None else None

    def forget(self) -> None:
        """The target has run."""
        self._data = None
        self._tried.clear()

    def recovered(self) -> tuple[Recovered, ...]:
        """What has been found of what was asked for."""
        return tuple(self._found.values())

    def not_found(self) -> Mapping[str, str]:
        """What has not, and why."""
        return {name: why for name, why in self._why.items() if name not in self._found}

    def size(self, name: str) -> int | None:
        """Bytes of a function that is found, None where that is not known."""
        address = self(name)
        function = self._image.function_at(address) if address is not None else None
        return function.stop - function.start if function is not None and function.start == address else None

    def function_name(self, address: int) -> str | None:
        """The name of the program's C function with this address, empty where it is not known; None for what is in no
        known function of the program."""
        function = self._image.function_at(address)
        if function is None:
            return None
        for name in BY_FILE:
            self._root(name)
        known = ((one.name, one.address) for one in self._found.values())
        return next((name for name, at in (*self._image.exported.items(), *known) if at == function.start), "")

    def _root(self, name: str) -> Recovered | None:
        finder = _FINDERS.get(name)
        if name not in self._found and name not in self._absent and finder is not None and self._may_try(finder):
            self._tried.add(finder)
            before = self._data
            answers = finder(self)
            self._absent.update(one for one in _FINDERS if _FINDERS[one] is finder and one not in answers)
            for one, found in answers.items():
                if isinstance(found, Recovered):
                    self._found[one] = found
                else:
                    self._why[one] = found
            if name not in self._found and name not in self._absent and tables.PROCESSES in self._found:
                self._failures[finder] = self._failures.get(finder, 0) + 1
            if name in self._found and self._data not in (before, None):
                self._search_copy()
        return self._found.get(name)

    def _search_copy(self) -> None:
        """Look for more in the copy of the VM's variables that was just made: remotely that takes hundreds of packets,
        and it is forgotten as soon as the target may have run."""
        if self.layout is not None:
            for name in (*ALWAYS, interpreter.MAIN) if self.layout.flavour == "emu" else ALWAYS:
                self._root(name)

    def _may_try(self, finder: Callable[[Roots], Found]) -> bool:
        return finder not in self._tried and self._failures.get(finder, 0) < PATIENCE

    @property
    def _snapshot(self) -> Snapshot:
        if self._data is None:
            self._data = Snapshot(self._memory, self._image)
        return self._data

    def _record(self, struct: str, name: str) -> Record | None:
        """The structure that a root is."""
        found = self._root(name)
        return Record(self._memory, self.layout, struct, found.address) if found and self.layout else None

    # -- what is looked for together -----------------------------------------------------------------------------------

    def _constants(self) -> Found:
        found = constants.find(self._image)
        if isinstance(found, str):
            return dict.fromkeys(constants.NAMES, found)
        return found

    def _atoms(self) -> Found:
        return {tables.ATOMS: tables.atom_table(self._memory, self._known, self._image, self._snapshot)}

    def _processes(self) -> Found:
        return tables.process_tables(self._memory, self._known, self._snapshot)

    def _schedulers(self) -> Found:
        return schedulers.find(self._memory, self._known, self._image, self._snapshot)

    def _persistent_terms(self) -> Found:
        found = tables.persistent_terms(self._memory, self._known, self._image, self._snapshot)
        return {persistent_table.VARIABLE: found}

    def _nodes(self) -> Found:
        return {tables.NODES: tables.node_table(self._memory, self._known, self._image, self._snapshot)}

    def _this_node(self) -> Found:
        return {tables.THIS_NODE: tables.this_node(self._memory, self._known, self._image, self._snapshot)}

    def _registered_names(self) -> Found:
        found = tables.registered_names(self._memory, self._known, self._image, self._snapshot)
        return {name_table.VARIABLE: found}

    def _modules(self) -> Found:
        return {module_tables.VARIABLE: tables.module_table(self._memory, self._known, self._image, self._snapshot)}

    def _permissions(self) -> Found:
        return tables.permissions(self._memory, self._known, self._image, self._snapshot)

    def _resource_types(self) -> Found:
        found = tables.resource_types(self._memory, self._known, self._image, self._snapshot)
        return {tables.RESOURCE_TYPES: found}

    def _allocators(self) -> Found:
        return {allocator_table.VARIABLE: allocators.find(self._memory, self._known, self._snapshot)}

    def _descriptors(self) -> Found:
        found = descriptors.find(self._memory, self._known, self._image, self._snapshot)
        return {descriptor_table.VARIABLE: found}

    def _migration(self) -> Found:
        return {migration.PATHS: migration.find(self._memory, self._known, self._image, self._snapshot)}

    def _descriptor(self) -> Found:
        if self.layout is not None and self.layout.flavour == "emu":
            return {}
        return {code.DESCRIPTOR: code.descriptor(self._memory, self._image, self._snapshot)}

    def _ranges(self) -> Found:
        active = code_index(self._memory, self, "active")
        found: Recovered | str = "the code indices are not found"
        if active is not None:
            found = code.ranges(self._memory, self._known, self._snapshot, active)
        return {code.RANGES: found}

    def _write_ptr(self) -> Found:
        first = self._record("ranges", code.RANGES)
        return {code.WRITE_PTR: code.write_ptr(self._memory, self._image, first) if first else "r is not found"}

    def _catches(self) -> Found:
        return {code.CATCHES: code.catches(self._memory, self._known, self._image, self._snapshot)}

    def _indices(self) -> Found:
        pools = self._record("bc_pool", code.CATCHES)
        found = code.indices(self._memory, self._image, pools) if pools else f"{code.CATCHES} is not found"
        return dict.fromkeys(CODE_INDICES, found) if isinstance(found, str) else found

    def _register_code(self) -> Found:
        descriptor = self(code.DESCRIPTOR)
        why = f"{code.DESCRIPTOR} is not found"
        return {
            functions.REGISTER_CODE: functions.register_code(self._image, descriptor) if descriptor is not None else why
        }

    @cached_property
    def _threads(self) -> Found:
        """The file alone tells what they run."""
        found = texts.of_threads(self._image)
        return dict.fromkeys(texts.OF_THREADS, found) if isinstance(found, str) else found

    def _called_by_threads(self) -> Found:
        return {name: found for name, found in self._threads.items() if name != texts.MAIN}

    def _no_memory(self) -> Found:
        exits = self(texts.EXIT)
        why = f"{texts.EXIT} is not found"
        return {texts.NO_MEMORY: texts.no_memory(self._image, exits) if exits is not None else why}

    def _interpreter(self) -> Found:
        if self._known.flavour != "emu":
            return {texts.MAIN: self._threads[texts.MAIN]}
        known = operations(self._image, self._known)
        if isinstance(known, str):
            return dict.fromkeys(interpreter.NAMES, known)
        try:
            words = self._memory.words(known.handlers, len(known.names))
        except Unreadable as error:
            return dict.fromkeys(interpreter.NAMES, str(error))
        return interpreter.variables(self._image, self._snapshot, known, words)

    def _exit_process(self) -> Found:
        if self._known.flavour != "emu":
            return {functions.EXIT: functions.exit_process(self._named)}
        known = operations(self._image, self._known)
        if isinstance(known, str) or interpreter.CONTINUE_EXIT not in known.names:
            return {functions.EXIT: "no operation is known to be continue_exit"}
        place = known.handlers + known.names.index(interpreter.CONTINUE_EXIT) * self._image.word_size
        return {functions.EXIT: functions.exit_process_of(self._image, self._image.pointers[place])}

    def _bifs(self) -> Found:
        return functions.bifs(self._named)

    def _named(self, function: str) -> frozenset[int] | None:
        bounds = self.own_code(function)
        return functions.named(self._memory, self._image, *bounds) if bounds is not None else None

    @property
    def _known(self) -> Layout:
        """The layout; KeyError where there is none."""
        if self.layout is None:
            raise KeyError("no layout")
        return self.layout


def _guarded(finder: Callable[[Roots], Found], names: tuple[str, ...]) -> Callable[[Roots], Found]:
    """Without a layout, or the structure in it, nothing is found."""

    def find(roots: Roots) -> Found:
        try:
            return finder(roots)
        except KeyError as error:
            return dict.fromkeys(names, f"where fields lie is not known: {error.args[0]}")

    return find


def _finders() -> Iterator[tuple[str, Callable[[Roots], Found]]]:
    for finder, names in (
        (Roots._constants, constants.NAMES),
        (Roots._atoms, (tables.ATOMS,)),
        (Roots._processes, (tables.PROCESSES, tables.PORTS)),
        (Roots._schedulers, schedulers.NAMES),
        (Roots._persistent_terms, (persistent_table.VARIABLE,)),
        (Roots._nodes, (tables.NODES,)),
        (Roots._this_node, (tables.THIS_NODE,)),
        (Roots._registered_names, (name_table.VARIABLE,)),
        (Roots._modules, (module_tables.VARIABLE,)),
        (Roots._permissions, tuple(tables.PERMISSIONS)),
        (Roots._resource_types, (tables.RESOURCE_TYPES,)),
        (Roots._allocators, (allocator_table.VARIABLE,)),
        (Roots._descriptors, (descriptor_table.VARIABLE,)),
        (Roots._migration, (migration.PATHS,)),
        (Roots._descriptor, (code.DESCRIPTOR,)),
        (Roots._ranges, (code.RANGES,)),
        (Roots._write_ptr, (code.WRITE_PTR,)),
        (Roots._catches, (code.CATCHES,)),
        (Roots._indices, CODE_INDICES),
        (Roots._register_code, (functions.REGISTER_CODE,)),
        (Roots._called_by_threads, (texts.DIRTY_MAIN, texts.EXIT)),
        (Roots._no_memory, (texts.NO_MEMORY,)),
        (Roots._interpreter, interpreter.NAMES),
        (Roots._exit_process, (functions.EXIT,)),
        (Roots._bifs, tuple(functions.BIFS)),
    ):
        guarded = _guarded(finder, names)
        yield from ((name, guarded) for name in names)


_FINDERS = dict(_finders())
"""By name of a root: what looks for it, and for others with it."""

NAMES = frozenset(_FINDERS)
"""All that may be found."""
