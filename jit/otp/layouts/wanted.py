"""The C structures, fields and enumerators of the VM that the debugger, native code and its glue need, and why.

Names are the VM's own: the typedef where there is one, else the struct tag. Where releases differ in the name only, the
newest name is the logical one and the older follow as alternatives. What only some releases or flavours have is
declared apart (`sometimes`); asking a layout for it raises KeyError where it is absent, and `ONLY` says of which
releases that depends. What native code and its glue use is marked with `*`: the compiler takes nothing else of a
layout. Read from the sources of OTP 25, 27 and 29, files named in each entry.

Terms on a heap are not here where the header word alone determines their shape; what is, is so because C code lays
them out. Of bit strings and funs both halves know that by `jit/otp/things.py`, which tests hold against this. An atomic
(`ethr_atomic_t`, `erts_refc_t`) is wanted as a whole: its value is the whole of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jit.otp.features import (
    ATOM_LITERALS,
    BITS_NOT_BYTES,
    FUN_HEADERS,
    FUN_REFERENCES,
    LASTING_FUNS,
    NATIVE_RECORDS,
    PRIORITY_MESSAGES,
    QUEUE_LENGTHS,
    TRACE_SESSIONS,
    Feature,
)


@dataclass(frozen=True)
class WantedField:
    """A field by logical name; `c_paths` are the dotted paths it may have in C, tried in order. `native`: native code
    or its glue uses it."""

    name: str
    c_paths: tuple[str, ...]
    optional: bool
    native: bool


@dataclass(frozen=True)
class WantedStruct:
    """A struct or union by logical name; `c_names` are the names it may have in C, tried in order."""

    name: str
    why: str
    fields: tuple[WantedField, ...]
    c_names: tuple[str, ...]
    optional: bool


@dataclass(frozen=True)
class WantedConstant:
    """An enumerator by logical name."""

    name: str
    why: str
    c_names: tuple[str, ...]
    optional: bool


def _struct(
    name: str,
    why: str,
    fields: str = "",
    sometimes: str = "",
    renamed: Mapping[str, str] | None = None,
    c_names: str = "",
    optional: bool = False,
) -> WantedStruct:
    """Paths and names are separated by blanks, `*` behind a path is for native code. `renamed`: logical path to the
    older paths that mean the same."""
    older = renamed or {}

    def wanted(paths: str, may_lack: bool) -> Iterator[WantedField]:
        for path in paths.split():
            field = path.removesuffix("*")
            yield WantedField(field, (field, *older.get(field, "").split()), may_lack, field != path)

    return WantedStruct(
        name, why, (*wanted(fields, False), *wanted(sometimes, True)), (name, *c_names.split()), optional
    )


PROCESSES = (
    _struct(
        "Process",
        "erl_process.h, erl_ptab.h: everything a process list, a backtrace or a crash report shows",
        """
        common.id* common.refc common.timer common.u.alive.started_interval common.u.alive.reg common.u.alive.links
        common.u.alive.lt_monitors common.u.alive.monitors
        htop* stop* heap hend heap_sz abandoned_heap high_water* old_heap old_htop old_hend
        min_heap_size min_vheap_size max_heap_size gen_gcs max_gen_gcs
        off_heap off_heap.first off_heap.overhead* wrt_bins mbuf* live_hf_end* mbuf_sz* msg_frag
        bin_vheap_sz* bin_old_vheap_sz bin_old_vheap
        fcalls* freason* fvalue* ftrace catches* i* current* arity* arg_reg max_arg_reg def_arg_reg
        rcount schedule_count reds flags* static_flags state* xstate uniq
        group_leader parent dictionary seq_trace_clock seq_trace_lastcnt seq_trace_token* bif_timers psd*
        u.initial.module u.initial.function u.initial.arity u.real_proc
        sig_qs.first* sig_qs.last* sig_qs.save* sig_qs.cont* sig_qs.cont_last sig_qs.nmsigs.next sig_qs.nmsigs.last
        sig_qs.recv_mrk_blk* sig_qs.flags*
        sig_inq.first* sig_inq.last sig_inq.nmsigs.next sig_inq.nmsigs.last sig_inq_buffers*
        sys_task_qs dirty_sys_tasks lock.flags* scheduler_data* run_queue next
        """,
        # sig_qs.len and sig_inq.len count messages in OTP 25. In 27, mq_len is the length of the message queue, and
        # mlenoffs in either queue counts what follows the last signal that is no message: not the same thing.
        sometimes="""
        frame_pointer return_trace_frames sig_qs.len* sig_inq.len sig_qs.mq_len* sig_qs.mlenoffs sig_inq.mlenoffs
        common.tracer common.trace_flags* common.tracee.all_trace_flags* common.tracee.first_ref trace_msg_q
        """,
        renamed={"xstate": "dirty_state"},
        c_names="process",
    ),
    _struct("ErtsPTabElementCommon", "erl_ptab.h: what processes and ports have in common", "id refc"),
    _struct(
        "ErtsPTab",
        "erl_ptab.h: type of erts_proc and erts_port; from a pid or port number to the slot, and all slots",
        """
        r.o.tab r.o.max r.o.pix_mask r.o.pix_cl_mask r.o.pix_cl_shift r.o.pix_cli_mask r.o.pix_cli_shift
        r.o.dix_cl_mask r.o.dix_cl_shift r.o.dix_cli_mask r.o.dix_cli_shift
        r.o.invalid_element r.o.invalid_data r.o.element_size vola.tile.count vola.tile.last_data
        """,
    ),
    _struct("ProcDict", "erl_process_dict.c: the process dictionary, a hash table of terms",
            "sizeMask usedSlots arraySize splitPosition numElements data"),
    _struct("RegProc", "register.h: a registered name and whose it is", "bucket.next name p pt", c_names="reg_proc"),
    _struct("ErtsPSD", "erl_process.h: process specific data by index", "data"),
    _struct("ErtsProcSysTaskQs", "erl_process.c: system tasks that wait for a process", "qmask ncount q"),
    _struct("ErtsProcSysTask", "erl_process.c: a system task", "next prev type requester"),
    _struct("ErtsProcList", "erl_process.h: processes in a list, such as those a busy port suspends",
            "u.pid u.p next prev"),
)  # fmt: skip

SIGNALS = (
    _struct("ErtsMessage", "erl_message.h: a message or other signal in a queue; m holds message, token, sender",
            "next* data.heap_frag data.attached m* hfrag hfrag.used_size hfrag.mem", c_names="erl_mesg"),
    _struct("ErtsMessageRef", "erl_message.h: the head that every queued message shares",
            "next data.heap_frag data.attached m"),
    _struct("ErtsNonMsgSignal", "erl_message.h: a signal that is no message: its tag tells which",
            "next specific.next specific.attachment tag", c_names="ErtsSignalCommon"),
    _struct("ErtsRecvMarker", "erl_message.h: a place in the message queue, itself queued as a signal",
            "prev_next* in_sigq in_msgq", "mark_type"),
    _struct("ErtsRecvMarkerBlock", "erl_message.h: receive markers of a process", "ref marker free_ix used_ix",
            "pending_set_save_ix*"),
    _struct("ErtsSignalInQueueBufferArray", "erl_message.h: incoming signals, under contention",
            "slots nonempty_slots alive"),
    _struct("ErtsSignalInQueueBuffer", "erl_message.h: one such buffer", "b.queue.first b.queue.last b.alive",
            c_names="ErtsSignalInQueueBuffer_"),
    _struct("ErlHeapFragment", "erl_message.h: terms outside a heap, as a message's or a NIF's",
            "next off_heap.first off_heap.overhead alloc_size used_size mem", c_names="erl_heap_fragment"),
    _struct("ErtsMonLnkNode", "erl_monitor_link.h: a link or monitor in a tree or a list",
            """node.tree.parent node.tree.left node.tree.right node.list.next node.list.prev
            other.item other.ptr offset key_offset flags""", "type", c_names="ErtsMonLnkNode__"),
    _struct("ErtsMonitorData", "erl_monitor_link.h: both sides of a monitor",
            "origin u.target u.ref_heap ref refc"),
    _struct("ErtsLinkData", "erl_monitor_link.h: both sides of a link", "proc dist refc"),
    _struct("ErtsMonitorSuspend", "erl_monitor_link.h: who suspended a process", "md next state",
            c_names="ErtsMonitorSuspend__"),
)  # fmt: skip

SCHEDULERS = (
    _struct(
        "ErtsSchedulerData",
        "erl_process.h: what each scheduler thread does now",
        """
        registers tid match_pseudo_process free_process ssi current_process type no dirty_no current_nif
        dirty_shadow_process current_port run_queue virtual_reds* cpu_id aux_work_data.aux_work_tid thr_id reductions
        gc_info.reclaimed gc_info.garbage_cols u.ets_tables.count u.ets_tables.clist timer_wheel timer_service
        """,
        renamed={"u.ets_tables.count": "ets_tables.count", "u.ets_tables.clist": "ets_tables.clist"},
        c_names="ErtsSchedulerData_",
    ),
    _struct("ErtsAlignedSchedulerData", "erl_process.h: element of erts_aligned_scheduler_data and its dirty kin",
            "esd"),
    _struct("ErtsSchedulerRegisters", "erl_process.h: x and float registers; the JIT's code has its address at hand",
            "x_reg_array.d f_reg_array.d",
            """start_time start_time_i aux_regs.d.runtime_stack aux_regs.d.TMP_MEM aux_regs.d.erts_msacc_cache
            x_reg_array* f_reg_array* aux_regs.d.erl_bits_state* aux_regs.d.erl_bits_state.erts_current_bin*
            aux_regs.d.erl_bits_state.erts_bin_offset*""",
            {f"aux_regs.d.erl_bits_state.{name}": f"aux_regs.d.erl_bits_state.{name}_"
             for name in ("erts_current_bin", "erts_bin_offset")},
            "ErtsSchedulerRegisters_"),
    _struct("ErtsSchedulerSleepInfo", "erl_process.h: is the scheduler asleep", "esdp next prev flags aux_work",
            c_names="ErtsSchedulerSleepInfo_"),
    _struct(
        "ErtsRunQueue",
        "erl_process.h: queued processes and ports of a scheduler, by priority",
        """
        ix scheduler waiting woken flags len max_len out_of_work_count procs.context_switches procs.reductions
        procs.prio_info procs.prio procs.prio.first procs.prio.last misc.start misc.end
        ports.info ports.info.len ports.start ports.end
        """,
        c_names="ErtsRunQueue_",
    ),
    _struct("ErtsAlignedRunQueue", "erl_process.h: element of erts_aligned_run_queues", "runq"),
    _struct("ErtsRunQueueInfo", "erl_process.h: element of procs.prio_info, by priority", "len max_len reds"),
    _struct("ErtsRunPrioQueue", "erl_process.h: element of procs.prio", "first last"),
)  # fmt: skip

CODE = (
    _struct(
        "BeamCodeHeader",
        "beam_code.h: head of a loaded module's code; functions is followed by the end of the code",
        """
        num_functions* attr_ptr attr_size attr_size_on_heap compile_ptr compile_size compile_size_on_heap literal_area
        on_load line_table* md5_ptr* are_nifs* functions*
        """,
        "coverage_mode coverage line_coverage_valid loc_index_to_cover_id line_coverage_len debug debugger_flags",
        c_names="beam_code_header",
    ),
    _struct("BeamCodeLineTab", "beam_code.h: from an address to file and line",
            "fname_ptr loc_size loc_tab.p2 loc_tab.p4 func_tab*", c_names="BeamCodeLineTab_"),
    _struct("ErtsCodeInfo", "beam_code.h: before each function's first instruction",
            "gen_bp* mfa mfa.module* mfa.function* mfa.arity*", "u.op* u.metadata.breakpoint_flag",
            {"gen_bp": "u.gen_bp", "u.op": "op"}, "ErtsCodeInfo_"),
    _struct("ErtsCodeMFA", "beam_code.h: module and function as atoms, arity as a plain integer",
            "module function arity", c_names="ErtsCodeMFA_"),
    _struct("OpEntry", "erl_vm.h: element of opc, a BEAM instruction; by the same index beam_ops has its handler",
            "name* mask sign", "involves_r sz adjust pack", c_names="op_entry"),
    _struct("ErtsDispatchable", "beam_code.h: entry addresses by code index", "addresses",
            c_names="ErtsDispatchable_"),
    _struct("Range", "beam_ranges.c: one loaded module's code", "start end"),
    _struct("ranges", "beam_ranges.c: element of the static r, by code index", "modules n allocated mid"),
    _struct("bc_pool", "beam_catches.c: element of the static bccix, by code index", "high_mark tabsize beam_catches",
            optional=True),
    _struct("beam_catch_t", "beam_catches.c: where a catch goes on, by the index in its tag", "cp cdr", optional=True),
    _struct("Export", "export.h: an exported function, and stubs for those not loaded",
            """dispatch.addresses* bif_number* info info.mfa.module info.mfa.function info.mfa.arity
            trampoline trampoline.common.op trampoline.breakpoint.address""",
            "lambda is_bif_traced* trampoline.not_loaded.deferred", c_names="export_"),
    _struct("Module", "module.h: a module with its current and old code",
            """slot.index module seen curr old on_load curr.code_hdr* curr.code_length* curr.catches curr.nif
            curr.num_breakpoints curr.num_traced_exports old.code_hdr* old.code_length old.catches old.nif""",
            c_names="erl_module"),
    _struct("erl_module_instance", "module.h: one version of a module's code",
            "code_hdr code_length catches nif num_breakpoints num_traced_exports",
            "executable_region writable_region metadata unsealed",
            {"executable_region": "native_module_exec", "writable_region": "native_module_rw"}),
    _struct("GenericBp", "beam_bp.h: a breakpoint of call tracing", "orig_instr data", "next", c_names="generic_bp"),
    _struct("ErtsLiteralArea", "global.h: literals of a module", "off_heap end start", c_names="ErtsLiteralArea_"),
    _struct("ErtsNativeFunc", "erl_nfunc_sched.h: a NIF or BIF that was rescheduled: which it is, and its arguments",
            "m func current pc mfa argc argv_size argv"),
    _struct("StackTrace", "error.h: the raw stack trace of an exception, in a term",
            "header freason pc current depth trace", "max_depth"),
)  # fmt: skip

ATOMS_AND_TABLES = (
    _struct("Atom", "atom.h: text of an atom, as bytes or as a binary",
            "slot.index len latin1_chars ord0", "name u.bin", c_names="atom"),
    _struct("IndexTable", "index.h: type of erts_atom_table; seg_table[ix / page][ix % page]",
            "htable size limit entries seg_table", c_names="index_table"),
    _struct("IndexSlot", "index.h: head of what an index table holds", "bucket index", c_names="index_slot"),
    _struct("Hash", "hash.h: type of process_reg and other tables",
            "name shift nobjs bucket", "max_shift", c_names="hash"),
    _struct("HashBucket", "hash.h: head of what a hash table holds", "next hvalue", c_names="hash_bucket"),
)  # fmt: skip

PORTS_AND_NODES = (
    _struct(
        "Port",
        "global.h, erl_port.h: everything a port list shows",
        """
        common.id common.refc common.u.alive.started_interval common.u.alive.reg common.u.alive.links
        common.u.alive.monitors common.u.alive.lt_monitors lock run_queue connected bytes_in bytes_out ioq.size name
        drv_ptr drv_data os_pid suspended state control_flags sched.flags
        """,
        "data",
        c_names="_erl_drv_port",
    ),
    _struct("erts_driver_t", "global.h: which driver a port runs", "next prev name flags handle",
            c_names="erts_driver_t_"),
    _struct("ErtsSysDriverData", "sys_drivers.c: what drv_data is of a port to a program, or to descriptors",
            "port_num ofd ifd", c_names="driver_data"),
    _struct("ErtsSysFdData", "sys_drivers.c: a file descriptor of such a port, one way", "fd", c_names="fd_data"),
    _struct("inet_descriptor", "inet_drv.c: what drv_data of a socket begins with", "s port"),
    _struct("ErlNode", "erl_node_tables.h: type of *erts_this_node, and the node of external terms",
            "hash_bucket refc sysname creation dist_entry", c_names="erl_node_"),
    _struct("DistEntry", "erl_node_tables.h: a node that is or was connected",
            "next prev sysname creation cid connection_id state dflags qflgs qsize in out suspended", "total_qsize",
            c_names="dist_entry_"),
    _struct("HashTable", "erl_bif_persistent.c: the persistent terms", "allocated num_entries mask term",
            c_names="hash_table"),
)  # fmt: skip

BINARIES_AND_FUNS = (
    _struct("Binary", "erl_binary.h: bytes outside the heaps, counted",
            "intern.flags intern.refc orig_size orig_bytes", "intern.apparent_size", c_names="binary"),
    _struct("ErtsMagicBinary", "erl_binary.h: what a magic reference (ETS table, resource, ..) leads to",
            "intern.flags intern.refc* orig_size destructor refn alloc_type u.aligned.data* u.unaligned.data",
            c_names="magic_binary"),
    _struct("ProcBin", "erl_binary.h, to OTP 26: a term for a Binary", "thing_word size next val bytes flags",
            c_names="proc_bin", optional=True),
    _struct("ErlHeapBin", "erl_binary.h, to OTP 26: bytes on the heap", "thing_word size data",
            c_names="erl_heap_bin", optional=True),
    _struct("ErlSubBin", "erl_binary.h, to OTP 26: part of a binary",
            "thing_word size offs bitsize bitoffs is_writable orig", c_names="erl_sub_bin", optional=True),
    _struct("ErlBinMatchState", "erl_bits.h, to OTP 26: a binary being matched",
            "thing_word mb.orig mb.base mb.offset mb.size save_offset", "mb", c_names="erl_bin_match_struct",
            optional=True),
    _struct("BinRef", "erl_bits.h, from OTP 27: a term for a Binary", "thing_word val next",
            c_names="bin_ref", optional=True),
    _struct("ErlHeapBits", "erl_bits.h, from OTP 27: bits on the heap", "thing_word size data",
            c_names="erl_heap_bits", optional=True),
    _struct("ErlSubBits", "erl_bits.h, from OTP 27: part of a bitstring, also one being matched",
            "thing_word base_flags start end orig", c_names="erl_sub_bits", optional=True),
    _struct("erl_off_heap_header", "global.h: head of terms that own something outside the heap",
            "thing_word next", "size opaque"),
    _struct("ErlFunThing", "erl_fun.h: a fun; from OTP 27 its arity and free variables are in the header word",
            "thing_word entry entry.disp entry.fun entry.exp env", "next arity num_free creator",
            c_names="erl_fun_thing"),
    _struct("ErlFunEntry", "erl_fun.h: a fun's code, its module and numbers",
            "dispatch.addresses module arity index uniq old_uniq old_index pend_purge_address", "refc",
            c_names="erl_fun_entry"),
    _struct("FunRef", "erl_fun.h, in OTP 27: keeps a local fun's entry alive", "thing_word entry next",
            c_names="erl_fun_ref", optional=True),
    _struct("ErtsRecordInstance", "erl_record.h, from OTP 29: a native record", "thing_word record_definition values",
            optional=True),
    _struct("ErtsRecordDefinition", "erl_record.h, from OTP 29: what native records of one kind are made of",
            "thing_word field_order hash module name is_exported keys", optional=True),
    _struct("ExternalThing", "erl_term.h: a pid, port or reference of another node",
            "header node next data data.pid.num data.pid.ser data.ui32", "data.port.id data.port.low data.port.high",
            c_names="external_thing_"),
    _struct("ErtsORefThing", "erl_term.h: an ordinary reference on the heap", "header num", "marker"),
    _struct("ErtsPRefThing", "erl_term.h: a reference that is also a pid's alias", "header num", "marker"),
    _struct("ErtsMRefThing", "erl_term.h: a magic reference on the heap", "header mb* next"),
)  # fmt: skip

LOADING = (
    _struct("LoaderState", "emu/load.h, jit/load.h: a module that is being loaded, and the interpreter's code for it",
            """module* code_hdr* ci* labels* beam* beam.checksum* beam.atoms.count* beam.atoms.entries*
            beam.imports.count* beam.imports.entries* beam.code.function_count* beam.code.label_count*""",
            "codev*", c_names="LoaderState_", optional=True),
    _struct("Label", "emu/load.h: element of LoaderState.labels, by number", "value*", optional=True),
    _struct("BeamFile_ImportEntry", "beam_file.h: element of beam.imports.entries", "module* function* arity*",
            optional=True),
    _struct("BifEntry", "utils/make_tables: element of bif_table, a BIF by its number", "f*", c_names="bif_entry",
            optional=True),
)  # fmt: skip

NIFS = (
    _struct("ErlNifEnv", "global.h: what a NIF is called with: whose heap, which process",
            "mod_nif* proc* hp* hp_end heap_frag tmp_obj_list exception_thrown tracee exiting",
            c_names="enif_environment_t"),
    _struct("erl_module_nif", "global.h: a loaded NIF library", "priv_data handle entry.name entry.num_of_funcs "
            "entry.funcs entry.major entry.minor mod"),
    _struct("ErlNifFunc", "erl_nif.h: a function of a NIF library", "name arity fptr flags", c_names="enif_func_t"),
    _struct("ErtsResource", "global.h: a NIF's resource object", "type monitors data", c_names="ErtsResource_"),
    _struct("ErlNifResourceType", "global.h: what kind of resource object",
            "next prev owner module name fn.dtor fn_real.dtor refc", c_names="enif_resource_type_t"),
)  # fmt: skip

ETS = (
    _struct("DbTable", "erl_db.h: an ETS table of any kind", "common", c_names="db_table"),
    _struct("DbTableCommon", "erl_db_util.h: name, owner, kind and size of an ETS table",
            """refc all.next all.prev owned.next owned.prev is_thread_safe type owner heir the_name btid meth counters
            counters.is_decentralized counters.nr_of_counters counters.u.counters_ptr counters.u.counters
            fixing_procs status keypos compress rwlock fixlock""",
            c_names="db_table_common"),
    _struct("DbTableHash", "erl_db_hash.h: set, bag, duplicate_bag",
            "szm nactive segtab first_segtab nlocks nslots nsegs fixdel locks", c_names="db_table_hash"),
    _struct("DbTableHashFineLockSlot", "erl_db_hash.h: element of locks, for some of the buckets", "u.lck_ctr.lck",
            c_names="db_table_hash_fine_lock_slot"),
    _struct("DbTableTree", "erl_db_tree.h: ordered_set", "root deletion", c_names="db_table_tree"),
    _struct("DbTableCATree", "erl_db_catree.h: ordered_set with write_concurrency", "root deletion",
            c_names="db_table_catree"),
    _struct("DbTableCATreeNode", "erl_db_catree.h: a node of it, by is_base_node",
            "is_base_node u.base.root u.route.left u.route.right u.base.is_valid u.base.lock"),
    _struct("HashDbTerm", "erl_db_hash.h: an object in a hash table", "next hvalue pseudo_deleted dbterm dbterm.size "
            "dbterm.tpl", c_names="hash_db_term"),
    _struct("TreeDbTerm", "erl_db_tree_util.h: an object in a tree", "left right dbterm dbterm.size dbterm.tpl",
            c_names="tree_db_term"),
    _struct("DbTerm", "erl_db_util.h: an object as a tuple, maybe compressed", "first_oh size tpl", c_names="db_term"),
    _struct("segment", "erl_db_hash.c: a piece of a hash table's buckets", "buckets"),
)  # fmt: skip

TIMERS_AND_TRACING = (
    _struct("ErtsBifTimer", "erl_hl_timer.c: erlang:send_after and start_timer",
            """type.head.roflgs type.head.receiver type.hlt.timeout type.twt.u.tw_tmr.timeout_pos btm.state btm.refn
            btm.proc_tree btm.proc_tree.parent btm.tree.parent btm.tree.left btm.tree.right btm.message""",
            c_names="ErtsBifTimer_"),
    _struct("ErtsHLTimerService", "erl_hl_timer.c: the timers of a scheduler", "time_tree btm_tree",
            c_names="ErtsHLTimerService_"),
    _struct("ErtsTimerWheel", "time.c: what time it is for the timers of a scheduler", "pos",
            c_names="ErtsTimerWheel_"),
    _struct("ErtsTraceSession", "erl_trace.h, from OTP 27: a trace session", "next prev state tracer name_atom",
            optional=True),
    _struct("ErtsTracerRef", "erl_ptab.h, from OTP 27: who traces a process, by session", "next session tracer flags",
            optional=True),
)  # fmt: skip

LOCKS = (
    _struct("erts_mtx_t", "erl_threads.h, ethr_mutex.h: a lock, a mutex of the C library", sometimes="mtx.pt_mtx"),
    _struct("erts_rwmtx_t", "erl_threads.h, ethr_mutex.h: a lock of readers or one writer, of the VM's own making",
            sometimes="rwmtx.mtxb.flgs rwmtx.mtxb.q rwmtx.type rwmtx.tdata.ra"),
    _struct("code_permission", "code_ix.c, from OTP 26: who may change code; a static variable for each of two",
            "owner seized", "queue first tail_p aux_arg xstate_handover_flg", optional=True),
    _struct("code_permission_queue_item", "code_ix.c: who waits for that", "p aux_func next",
            c_names="code_write_queue_item"),
)  # fmt: skip

ALLOCATORS = (
    _struct("ErtsAllocatorInfo_t", "erl_alloc.h: element of erts_allctrs_info, an allocator by its number",
            "alloc_util enabled thr_spec extra"),
    _struct("ErtsAllocatorThrSpec_t", "erl_alloc.h: an allocator with an instance for each scheduler",
            "enabled size allctr"),
    _struct(
        "Allctr_t",
        "erl_alloc_util.h: an instance of an allocator: its carriers, and counts of what is in them",
        """
        name_prefix alloc_no alloc_strat ix mbc_header_size mbc_list.first sbc_list.first
        cpool.dc_list.first cpool.sentinel cpool.util_limit cpool.stat.blocks_size
        cpool.stat.no_blocks cpool.stat.carriers_size cpool.stat.no_carriers
        fix sbcs.carriers sbcs.blocks mbcs.carriers mbcs.blocks
        """,
        c_names="Allctr_t_",
    ),
    _struct("AOFF_Carrier_t", "erl_ao_firstfit_alloc.c: one that knows its largest free block", "rbt_node.hdr.bhdr",
            c_names="AOFF_Carrier_t_"),
    _struct("StatValues_t", "erl_alloc_util.h: element of mbcs.carriers and sbcs.carriers", "no size"),
    _struct("BlockStats_t", "erl_alloc_util.h: element of mbcs.blocks and sbcs.blocks, by allocator",
            "curr.no curr.size"),
    _struct("ErtsAlcFixList_t", "erl_alloc_util.h: element of fix, by type: blocks of one size",
            "type_size u.cpool.allocated u.nocpool.allocated"),
    _struct("Carrier_t", "erl_alloc_util.h: memory that blocks are in; what is in cpool only where there are many",
            """chdr next prev allctr cpool cpool.next cpool.orig_allctr cpool.blocks cpool.blocks_size
            cpool.total_blocks_size cpool.state""", c_names="Carrier_t_"),
)  # fmt: skip

POLLING = (
    _struct("drv_ev_state_shared", "erl_check_io.c: type of drv_ev_state, all file descriptors", "max_fds len v"),
    _struct("ErtsDrvEventState", "erl_check_io.c: element of drv_ev_state.v, a file descriptor that was selected upon",
            """fd driver.select driver.nif driver.stop.drv_ptr driver.stop.resource events active_events type flags
            count""", "last_select_pid"),
    _struct("ErtsDrvSelectDataState", "erl_check_io.h: ports that wait for a file descriptor", "inport outport"),
    _struct("ErtsNifSelectDataState", "erl_check_io.h: processes that a NIF has wait for one",
            "in.pid out.pid err.pid"),
)  # fmt: skip

BALANCING = (
    _struct("ErtsMigrationPaths", "erl_process.h: how run queues are balanced; erts_migration_paths points to it",
            "next mpath", c_names="ErtsMigrationPaths_"),
    _struct("ErtsMigrationPath", "erl_process.h: element of mpath, by run queue",
            "flags misc_evac_runq prio prio.runq prio.flags prio.limit.here prio.limit.other"),
)  # fmt: skip

STRUCTS: tuple[WantedStruct, ...] = (
    PROCESSES + SIGNALS + SCHEDULERS + CODE + ATOMS_AND_TABLES + PORTS_AND_NODES + BINARIES_AND_FUNS + LOADING + NIFS
    + ETS + TIMERS_AND_TRACING + LOCKS + ALLOCATORS + POLLING + BALANCING
)  # fmt: skip


def _constants(why: str, names: str, optional: bool = False) -> tuple[WantedConstant, ...]:
    return tuple(WantedConstant(name, why, (name,), optional) for name in names.split())


CONSTANTS: tuple[WantedConstant, ...] = (
    *_constants("erl_process.h: ErtsSchedulerData.type",
                "ERTS_SCHED_NORMAL ERTS_SCHED_DIRTY_CPU ERTS_SCHED_DIRTY_IO"),
    *_constants("erl_vm.h: values of erts_frame_layout, where code runs native",
                "ERTS_FRAME_LAYOUT_RA ERTS_FRAME_LAYOUT_FP_RA", optional=True),
    *_constants("erl_node_tables.h: DistEntry.state",
                "ERTS_DE_STATE_IDLE ERTS_DE_STATE_PENDING ERTS_DE_STATE_CONNECTED ERTS_DE_STATE_EXITING"),
    *_constants("erl_alloc.h: Allctr_t.alloc_strat", "ERTS_ALC_S_FIRSTFIT"),
    *_constants("erl_check_io.c: ErtsDrvEventState.type",
                "ERTS_EV_TYPE_NONE ERTS_EV_TYPE_DRV_SEL ERTS_EV_TYPE_STOP_USE ERTS_EV_TYPE_NIF ERTS_EV_TYPE_STOP_NIF"),
    *_constants("erl_check_io.c: ErtsDrvEventState.flags",
                """ERTS_EV_FLAG_USED ERTS_EV_FLAG_SCHEDULER ERTS_EV_FLAG_IN_SCHEDULER ERTS_EV_FLAG_FALLBACK
                ERTS_EV_FLAG_WANT_ERROR"""),
    *_constants("erl_check_io.c: the same, in OTP 29", "ERTS_EV_FLAG_NIF_SELECT", optional=True),
    *_constants("erl_process.c: ErtsProcSysTask.type",
                """ERTS_PSTT_GC_MAJOR ERTS_PSTT_GC_MINOR ERTS_PSTT_CPC ERTS_PSTT_CLA ERTS_PSTT_FTMQ
                ERTS_PSTT_ETS_FREE_FIXATION ERTS_PSTT_PRIO_SIG ERTS_PSTT_TEST""", optional=True),
)  # fmt: skip


#: What a VM tells of how it was built (erl_init.c to OTP 25, erl_etp.c in 27): exported numbers, each a C `int`.
BUILD = (
    "etp_arch_bits", "etp_endianness", "etp_smp_compiled", "etp_thread_compiled", "etp_beamasm", "etp_debug_compiled",
    "etp_lock_check", "etp_lock_count", "etp_hole_marker", "etp_the_non_value",
)  # fmt: skip


#: Architecture and flavour of the VMs that run native code.
NATIVE = ("arm32", "emu")

#: What only some releases have, structures and fields: those that have the feature, or those that do not.
ONLY: Mapping[str, tuple[Feature, bool]] = {
    "Process.sig_qs.len": (QUEUE_LENGTHS, False),
    "Process.sig_inq.len": (QUEUE_LENGTHS, False),
    "Process.sig_qs.mq_len": (QUEUE_LENGTHS, True),
    "Process.common.trace_flags": (TRACE_SESSIONS, False),
    "Process.common.tracer": (TRACE_SESSIONS, False),
    "Process.common.tracee.all_trace_flags": (TRACE_SESSIONS, True),
    "Process.common.tracee.first_ref": (TRACE_SESSIONS, True),
    "ErtsTraceSession": (TRACE_SESSIONS, True),
    "ErtsTracerRef": (TRACE_SESSIONS, True),
    "ErtsRecvMarker.mark_type": (PRIORITY_MESSAGES, True),
    "ErtsMonLnkNode.type": (PRIORITY_MESSAGES, False),
    "Atom.name": (ATOM_LITERALS, False),
    "Atom.u.bin": (ATOM_LITERALS, True),
    "ProcBin": (BITS_NOT_BYTES, False),
    "ErlHeapBin": (BITS_NOT_BYTES, False),
    "ErlSubBin": (BITS_NOT_BYTES, False),
    "ErlBinMatchState": (BITS_NOT_BYTES, False),
    "BinRef": (BITS_NOT_BYTES, True),
    "ErlHeapBits": (BITS_NOT_BYTES, True),
    "ErlSubBits": (BITS_NOT_BYTES, True),
    "ErlFunThing.creator": (FUN_HEADERS, False),
    "ErlFunEntry.refc": (LASTING_FUNS, False),
    "FunRef": (FUN_REFERENCES, True),
    "ErtsRecordInstance": (NATIVE_RECORDS, True),
    "ErtsRecordDefinition": (NATIVE_RECORDS, True),
}


def has(release: int, name: str) -> bool:
    """Whether a release has a structure, or a field as `Structure.field`, as far as that depends on the release."""
    feature, with_it = ONLY.get(name, (None, True))
    return feature is None or feature.of(release) is with_it


def native(release: int) -> Iterator[tuple[str, str]]:
    """Structure and field of all that native code and its glue use in a release."""
    for struct in STRUCTS:
        for field in struct.fields:
            if field.native and has(release, f"{struct.name}.{field.name}"):
                yield struct.name, field.name


def all_c_names() -> frozenset[str]:
    """Every C name to look for in debug information."""
    wanted: tuple[WantedStruct | WantedConstant, ...] = (*STRUCTS, *CONSTANTS)
    return frozenset(name for one in wanted for name in one.c_names)
