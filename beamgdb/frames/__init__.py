"""Where JIT-compiled code keeps its frame and its arguments, found by reading the machine code itself.

`flow` is the data-flow analysis; one file per instruction set says what its instructions do.
"""

from beamgdb.frames.flow import Base, FlowState, FunctionFlow, HostReg, Place, Slot, StackState, XReg

__all__ = ["Base", "FlowState", "FunctionFlow", "HostReg", "Place", "Slot", "StackState", "XReg"]
