"""Whose library it is that C code was in when a node died."""

from __future__ import annotations

import pytest

from beamgdb.views.why import is_of_system


@pytest.mark.parametrize(
    "path",
    [
        "/lib/x86_64-linux-gnu/libc.so.6", "/lib/libpthread-2.31.so", "/lib64/ld-linux-x86-64.so.2",
        "/lib/ld-linux-armhf.so.3", "/lib/ld-linux-aarch64.so.1", "/lib/arm-linux-gnueabihf/ld-2.31.so",
        "/usr/lib/libstdc++.so.6.0.30",
    ],
)  # fmt: skip
def test_the_system_s(path: str) -> None:
    assert is_of_system(path)


@pytest.mark.parametrize(
    "path", ["/srv/app/priv/crash_nif.so", "/usr/lib/erlang/lib/crypto/priv/lib/crypto.so", "/usr/lib/libcrypto.so.3"]
)
def test_others(path: str) -> None:
    assert not is_of_system(path)
