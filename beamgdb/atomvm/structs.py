"""The C structures of AtomVM that are read. Where their fields lie its debug information tells: they differ by what a
build is configured with (context.h, globalcontext.h, module.h, mailbox.h, list.h, refc_binary.h, atom_table.c)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jit.otp.layouts.layout import Layout
from jit.otp.layouts.resolve import StructLayout, TypeSource, resolve
from jit.otp.layouts.wanted import WantedField, WantedStruct


def _wanted(name: str, why: str, fields: str) -> WantedStruct:
    """A path with `?` behind it is one that not all builds have."""
    paths = [(path.rstrip("?"), path.endswith("?")) for path in fields.split()]
    return WantedStruct(
        name, why, tuple(WantedField(path, (path,), lacks, False) for path, lacks in paths), (name,), False
    )


WANTED: Final[Mapping[str, WantedStruct]] = {
    struct.name: struct
    for struct in (
        _wanted("ListHead", "list of everything", "next prev"),
        _wanted(
            "GlobalContext", "the VM itself",
            "processes_table.head registered_processes.head atom_table modules_by_index loaded_modules_count "
            "last_process_id online_schedulers? running_schedulers? node_name?",
        ),
        _wanted(
            "Context", "a process or port",
            "global heap.root heap.heap_start heap.heap_ptr heap.heap_end e x cp fr processes_table_head process_id "
            "monitors_head saved_module saved_ip? saved_function_ptr? mailbox.outer_first mailbox.inner_first "
            "dictionary native_handler trap_exit flags group_leader exit_reason",
        ),
        _wanted("HeapFragment", "a piece of a heap", "next heap_end storage"),
        _wanted("MailboxMessage", "a message or a signal", "next type"),
        _wanted("Message", "a message", "message"),
        _wanted("DictEntry", "a pair of a process dictionary", "head key value"),
        _wanted("RegisteredProcess", "a name", "registered_processes_list_head atom_index local_pid_or_port"),
        _wanted("Monitor", "a link or monitor", "monitor_list_head monitor_type"),
        _wanted("LinkLocalMonitor", "a link", "unlink_id link_local_process_id"),
        _wanted("MonitorLocalMonitor", "a monitor", "ref_ticks monitor_obj"),
        _wanted(
            "Module", "a module",
            "module_index code labels? native_code? binary binary_size end_instruction_ii local_atoms_to_global_table",
        ),
        _wanted("AtomTable", "all atoms", "count first_node_group"),
        _wanted("HNodeGroup", "some atoms", "next first_index len nodes nodes.key nodes.bytes_len"),
        _wanted("RefcBinary", "a binary outside of heaps", "size resource_type data"),
    )
}  # fmt: skip

NO_TYPES: Final = (
    "this AtomVM has no debug information (DWARF), which tells where fields lie: build it with "
    "-DCMAKE_BUILD_TYPE=RelWithDebInfo, or give its debug file by `symbol-file`"
)
"""What a user is told of a build of which nothing can be shown."""


def struct(types: TypeSource, name: str) -> StructLayout | None:
    """The wanted part of a structure, None where the source of types does not have it."""
    return resolve(types, [WANTED[name]], []).structs.get(name)


def layout(
    structs: Mapping[str, StructLayout], constants: Mapping[str, int], arch: str, word_size: int, origin: str
) -> Layout:
    """Where the fields lie; `structs` may be asked one by one."""
    return Layout(origin, "", "", arch, "atomvm", "", word_size, frozenset(), structs, constants, {})


Ask = Callable[[str], "StructLayout | None"]
