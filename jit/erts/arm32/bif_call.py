"""Calls of BIFs that change nothing when they raise: the C function is called from native code.

One that fails the interpreter calls again, which raises the exception. One that traps goes on as it wants to, and what
it gives in the end comes back to native code. All other BIFs are called through the interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, LE, NE
from jit.arm32.operands import at
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R12, SP
from jit.arm32.relocations import External
from jit.beam.operands import Import
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.call import CallEmitter, call_export, instead_of, return_
from jit.erts.arm32.conventions import FCALLS, PROCESS, REGISTERS, WORD, X_ARRAY, E
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.fragments import fragment, swap_in, swap_out
from jit.erts.arm32.msg import check_send_tracing
from jit.erts.bif_names import imports, is_bif
from jit.erts.layout import NativeLayout
from jit.otp import vm_flags

#: None of them looks at what the process is doing. Not each of them is a BIF in every release.
_NAMES: Final = {
    "erlang": "setelement/3 put/2 get/0 get/1 erase/1 append_element/2 make_tuple/2 list_to_tuple/1 tuple_to_list/1 "
    "atom_to_list/1 list_to_atom/1 list_to_existing_atom/1 atom_to_binary/2 "
    "binary_to_atom/2 pid_to_list/1 ref_to_list/1 make_ref/0 unique_integer/0 unique_integer/1 monotonic_time/0 "
    "monotonic_time/1 system_time/0 system_time/1 whereis/1 function_exported/3 fun_info/2 make_fun/3",
    "maps": "find/2 keys/1 put/3 remove/2 take/2 update/3 values/1",
    "math": "cos/1 exp/1 log/1 pow/2 sin/1 sqrt/1 tan/1 atan/1 atan2/2 floor/1 ceil/1",
    "persistent_term": "get/1 get/2",
}

#: The same, but they trap when they have much to do. A tail call of one is left to the interpreter, which keeps the
#: frame: it is in the stack trace if the BIF fails later.
_TRAPPING: Final = {
    "erlang": "++/2 --/2 integer_to_list/1 integer_to_list/2 list_to_integer/1 float_to_list/2 list_to_float/1 "
    "integer_to_binary/1 binary_to_integer/1 binary_to_list/1 binary_to_list/3 list_to_binary/1 iolist_to_binary/1 "
    "iolist_size/1 split_binary/2 phash2/1 phash2/2 md5/1",
    "lists": "member/2 reverse/2 keyfind/3 keymember/3 keysearch/3",
    "maps": "from_keys/2 from_list/1 merge/2",
    "ets": "lookup/2 lookup_element/3 member/2 first/1 next/2",
}

#: These change something, but nothing before they raise (bif.c). They trap to suspend the process or flush messages.
_SIGNALS: Final = {"erlang": "alias/1 demonitor/1 demonitor/2 monitor/2 monitor/3 send/2 send/3 unalias/1"}


def _emitter(callee: Import, *, traps: bool) -> CallEmitter:
    """In a tail call the frame is given up behind the BIF: the interpreter has it there too."""

    def emit(e: Emission, frame: int | None) -> None:
        if not is_bif(callee, e.shared.layout.otp):
            call_export(e, callee, frame)
            return
        if traps and frame is not None:
            e.leave()
            return
        other, interpreter = Label(), e.to_interpreter()
        after = e.continuation() if frame is None else None
        if after is not None:
            e.handlers[e.index] = after[0]  # the interpreter comes back too
        e.a.ldr_literal(R0, symbols.import_(e.shared.imports[callee]))
        e.a.ldr_literal(R2, symbols.label(e.resume_label(e.index)))
        e.a.together(2)
        e.call("call_bif")
        e.a.b(other, EQ)  # always, but with no condition literals might be placed behind it
        if after is not None:
            e.a.bind(after[1])
        if frame is not None:
            e.a.add_constant(E, E, WORD * frame)
            return_(e)

        def cold() -> None:
            e.a.bind(other)
            e.a.cmp(R0, 0)
            e.a.b(interpreter, EQ)
            if after is not None:
                e.a.ldr_literal(R0, symbols.label(after[0]))
                e.a.str(R0, at(E))
            e.a.add_constant(E, E, WORD * (frame or 0))
            e.go("trap")

        e.cold(cold)

    return emit


for _callee in imports(_NAMES):
    instead_of(_callee)(_emitter(_callee, traps=False))
for _callee in (*imports(_TRAPPING), *imports(_SIGNALS)):
    instead_of(_callee)(_emitter(_callee, traps=True))


@fragment("call_bif")
def call_bif(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """Call the BIF with the export entry r0: its arguments are in x registers, its value comes to x0.

    r2 is the call in the bytecode: where it failed, if the BIF goes on as another job and raises later.

    Control then comes to the second word behind the call. It comes to the first, with the flag Z set, if the BIF has
    trapped (r0 is not 0), or if the interpreter is to call it (r0 is 0).
    """
    interpreter, failed, end = Label(), Label(), Label()
    a.str(LR, at(SP, conventions.RETURN))
    a.ldr(R1, at(R0, layout["Export.bif_number"]))
    a.ldr(R3, at(R0, layout["Export.is_bif_traced"]))
    a.cmn(R1, 1)
    a.b(interpreter, EQ)
    a.cmp(R3, 0)
    a.b(interpreter, NE)
    check_send_tracing(a, layout)
    a.b(interpreter, NE)
    a.cmp(FCALLS, 1)  # a BIF takes one, and needs one behind it
    a.b(interpreter, LE)
    a.sub(FCALLS, FCALLS, 1)
    _call_function(a, layout)
    a.cmp(R0, 0)
    a.b(failed, EQ)
    a.str(R0, at(REGISTERS, X_ARRAY))
    a.ldr(LR, at(SP, conventions.RETURN))
    a.add(LR, LR, WORD)
    a.mov(R1, 1)
    a.b(fragments["settle"])
    a.bind(failed)
    a.ldr(R1, at(PROCESS, layout["Process.freason"]))
    a.cmp(R1, vm_flags.TRAP)
    a.mov(R0, 1, EQ)
    a.b(end, EQ)
    a.bind(interpreter)
    a.mov(R0, 0)
    a.cmp(R0, 0)
    a.bind(end)
    a.ldr(PC, at(SP, conventions.RETURN))


def _call_function(a: Assembler, layout: NativeLayout) -> None:
    """r0 = what the C function of the BIF number r1 gives, called at r2."""
    swap_out(a, layout)
    a.ldr_literal(R0, External("bif_table"))
    a.mov_constant(R3, layout.sizes["BifEntry"])
    a.mla(R12, R1, R3, R0)
    a.ldr(R12, at(R12, layout["BifEntry.f"]))
    a.mov(R0, PROCESS)
    a.add(R1, REGISTERS, X_ARRAY)
    a.blx(R12)
    swap_in(a, layout)  # put/2 collects garbage (erl_process_dict.c)
