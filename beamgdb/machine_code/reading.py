"""What whoever reads machine code asks for: registers of a frame, and memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

ReadRegister = Callable[[str], Optional[int]]
"""A CPU register's value in a frame, by GDB's name; None where the frame does not know it."""

ReadMemory = Callable[[int, int], Optional[bytes]]
"""Memory at an address, so many bytes; None where it cannot be read."""
