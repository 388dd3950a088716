"""ARCHITECTURE.md and CONTRIBUTING.md name what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

from tests.harness.gdb import REPOSITORY

ARCHITECTURE: Final = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
CONTRIBUTING: Final = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")

#: As `Identity.arch` has them.
PROCESSORS: Final = {"x86_64", "arm32", "aarch64"}


def test_the_picture_has_all_packages() -> None:
    picture = "\n".join(re.findall(r"^    .*$", ARCHITECTURE, re.MULTILINE))
    packages = {f"{path.parent.relative_to(REPOSITORY)}" for half in ("beamgdb", "jit")
                for path in REPOSITORY.glob(f"{half}/*/__init__.py")}  # fmt: skip
    assert packages - set(re.findall(r"\w+/\w+", picture)) == set()


def names_a_processor(path: Path) -> bool:
    """Whether a file tells one processor from others, and is not the file of one."""
    constants = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    return path.stem not in PROCESSORS and bool(PROCESSORS & constants)


def test_where_the_debugger_names_processors() -> None:
    (paragraph,) = re.findall(r"^\*\*A processor, for the debugger\.\*\*(?:.+\n)+", CONTRIBUTING, re.MULTILINE)
    root = REPOSITORY / "beamgdb"
    found = {str(path.relative_to(root)) for path in root.rglob("*.py") if names_a_processor(path)}
    assert found - set(re.findall(r"[\w/]+\.py", paragraph)) == set()
