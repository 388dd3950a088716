"""The command `beam`: an overview of all others."""

from __future__ import annotations

import argparse

import gdb

from beamgdb import __version__
from beamgdb.gdbext.commands.command import Command


class Beam(Command):
    """Overview: the commands that show Erlang in GDB.

      beam-info             the VM: release, schedulers, counts
      beam-why              why the node died, or what is odd about it
      beam-ps               list the processes; sorted, filtered, as JSON
      beam-process PROCESS  one in full: messages, links, dictionary
      beam-waits            who waits for an answer of whom, and deadlocks
      beam-exceptions       last exceptions of processes
      beam-purge            who is in old code, what a purge waits for
      beam-locks            locks that are held, by whom, who waits
      beam-top              what ran most since the last time
      beam-tree             applications, supervisors and workers
      beam-stacks           equal stacks, and how many processes have each
      beam-binaries         binaries, and who holds them
      beam-resources        resources of NIFs, and who holds them
      beam-heap [PROCESS]   which terms there are, by shape and size
      beam-refs TERM        who holds a term or a binary
      beam-verify           which word of a heap is damaged
      beam-ets              list the ETS tables
      beam-ets-objects TABLE  what is in one
      beam-ports            list the ports: sockets, programs
      beam-fds              file descriptors, and who waits for them
      beam-persistent-terms  list those
      beam-timers           list the timers: messages to be sent, receives
      beam-nodes            list the nodes that this one knows
      beam-schedulers       what each scheduler does, and its run queue
      beam-memory           how much memory there is for what
      beam-allocators       memory of the VM's allocators, and what is used
      beam-block ADDRESS    which block of memory an address is in
      beam-crashdump FILE   write an erl_crash.dump
      beam-bt [PROCESS]     the Erlang stack of a process; `beam-bt all`
      beam-context          source, stack and registers of the place
      beam-disas [M:F/A]    the code of a function
      beam-break PLACE      a breakpoint on M:F/A, M.f/A or FILE:LINE
      beam-breakpoints      list those
      beam-step, beam-next  go to the next Erlang line, into or over calls
      beam-finish           run until the selected Erlang function returns
      beam-receive PROCESS  run until a process that waits gets a message
      xreg, yreg, freg [N]  x, y and float registers
      eterm EXPRESSION      a word as an Erlang term

      $_xreg(N), $_yreg(N), $_eterm(WORD)  the same in expressions
      set beam-depth|beam-width|beam-bytes N  how much of a term is shown
      set beam-syntax elixir               terms as Elixir writes them
      set beam-elixir-names off            functions of Elixir as Erlang does
      set beam-context on                  beam-context after each stop
      set beam-context-sections S ...      of what that is
      layout beam                          the same in windows of GDB's TUI
      set beam-layout-from FILE|VERSION    where fields lie, by a similar build
      set beam-progress on                 front ends hear how far a command is
      set beam-debug on                    where an error comes from

    `help beam-bt` tells more of beam-bt, and so of each. GDB's own bt, up, list, next, step, until, finish, break,
    info symbol and disassemble work on compiled Erlang code too: break -function lists:map/2

    A node stops mostly while its threads wait in C code. `beam-bt all` shows what all processes do."""

    name = "beam"
    category = gdb.COMMAND_SUPPORT
    looks = False
    of_vm = False

    def run(self, arguments: argparse.Namespace) -> None:
        text = (self.__doc__ or "").partition("\n\n")[2]
        gdb.write(f"beamgdb {__version__}\n\n{text}\n")


def install() -> None:
    """Define the command."""
    Beam()
