"""The Python packages that the extension needs, and how one gets them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

PACKAGES = {"capstone": ("python3-capstone", "capstone"), "elftools": ("python3-pyelftools", "pyelftools")}
"""By the name to import: Debian's package, and that of the Python package index."""


def missing() -> list[str]:
    """Names of those that this Python does not find."""
    return [name for name in PACKAGES if find_spec(name) is None]


def advice(names: Iterable[str]) -> str:
    """What to do if these are missing, in lines that fit a terminal."""
    debian, index = zip(*(PACKAGES[name] for name in names))
    return f"missing {', '.join(index)}:\n  apt install {' '.join(debian)}\n  or pip install {' '.join(index)}"


def broken() -> str | None:
    """Which package is there but cannot be imported, why, and what to do, in one line; None if all can be."""
    for name, (debian, index) in PACKAGES.items():
        try:
            import_module(name)
        except Exception as error:
            return f"{index} cannot be loaded ({error}): apt install {debian}, or pip install {index}, anew"
    return None
