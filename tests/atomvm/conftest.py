from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import erlc

SOURCE = Path(__file__).with_name("program.erl")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """program.beam."""
    return erlc(SOURCE, tmp_path_factory.mktemp("ebin"))
