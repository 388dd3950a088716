"""To the world a native module is the plain one: its MD5, its funs, what is told of it and of its file."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from jit.beam.chunks import read_chunks
from jit.erts.layout import RELEASES
from jit.sandbox import Sandbox
from tests.codegen.native_node import PATIENCE, compile_native, erlc, node, node_says
from tests.harness.erl import SETTINGS

IDENTITY = Path(__file__).with_name("identity.erl")
RUN = 'io:format("~p~n", [identity:run()]), halt().'
GLUE = ("-s", "native")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    erlc(IDENTITY, folder, "+debug_info")
    return folder


@pytest.fixture(scope="module")
def native(otp: int, plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"native-{otp}")
    compile_native([plain / "identity.beam"], folder, otp)
    return folder


def told(ran: str, folder: Path) -> str:
    """What a node says, whatever folder it has the module from."""
    return ran.replace(str(folder), "FOLDER")


@pytest.mark.each_release
def test_all_that_is_told_of_it(otp: int, plain: Path, native: Path) -> None:
    interpreted = told(node_says(otp, "-pa", str(plain), "-eval", RUN), plain)
    assert "{md5,<<" in interpreted
    assert told(node_says(otp, "-pa", str(native), *GLUE, "-eval", RUN), native) == interpreted
    assert told(node_says(otp, "-pa", str(native), "-eval", RUN), native) == interpreted


def test_what_is_refused_is_the_plain_module(otp: int, plain: Path, native: Path, tmp_path: Path) -> None:
    """Native code for another release: nothing of what was tried is left."""
    interpreted = told(node_says(otp, "-pa", str(plain), "-eval", RUN), plain)
    compile_native([plain / "identity.beam"], tmp_path, next(release for release in RELEASES if release != otp))
    ran = node(otp, "-pa", str(tmp_path), *GLUE, "-eval", RUN)
    assert (ran.returncode, told(ran.stdout, tmp_path)) == (0, interpreted)
    assert ran.stderr == "native: identity runs interpreted: it is compiled for another release or build\n"


def test_funs_outlive_that_the_module_is_loaded_anew(otp: int, plain: Path, native: Path) -> None:
    """From the native file, from the plain one, and back."""
    run = f"""
        Told = identity:reload(["{native}", "{plain}", "{plain}", "{native}"]),
        io:format("~w~n~w~n", [Told, native:modules()]), halt().
    """
    said = node_says(otp, "-pa", str(native), *GLUE, "-eval", run)
    one = "{[8,4,6,2],[true,true,true,true]}"
    assert said == f"[{','.join([one] * 4)}]\n[identity]\n"


@pytest.mark.parametrize("options", [(), ("+compressed",)], ids=["plain", "compressed"])
def test_the_file_is_the_plain_one_with_more_behind_it(otp: int, tmp_path: Path, options: tuple[str, ...]) -> None:
    beam = erlc(IDENTITY, tmp_path / "plain", "+debug_info", *options)
    compile_native([beam], tmp_path / "native", otp)
    before, after = (
        [(chunk.name, chunk.data) for chunk in read_chunks((tmp_path / name / beam.name).read_bytes(), name)]
        for name in ("plain", "native")
    )
    assert after[: len(before)] == before
    assert [name for name, _ in after[len(before) :]] == ["NatA", "NatB", "NatC"]


@pytest.mark.parametrize("native_first", [True, False], ids=["native node first", "plain node first"])
def test_funs_go_from_one_node_to_another(otp: int, plain: Path, native: Path, native_first: bool) -> None:
    """Each calls those of the other, in messages; one listens on loopback, at a port that no epmd is asked for."""
    sides = [["-pa", str(native), *GLUE], ["-pa", str(plain)]]
    first, second = sides if native_first else reversed(sides)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    distribution = ["-start_epmd", "false", "-erl_epmd_port", str(port), "-setcookie", "funs"]
    interface = ["-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
    serve = 'io:format("ready~n"), identity:receive_funs(), receive after infinity -> ok end.'
    listening = ["-noinput", "-name", "first@127.0.0.1", *distribution, *interface, *first, "-eval", serve]
    command = Sandbox("armhf", otp).ensure().command(listening)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **SETTINGS}, text=True) as listener:
        try:
            assert listener.stdout
            assert listener.stdout.readline() == "ready\n"
            ask = "io:format(\"~w~n\", [identity:send_funs('first@127.0.0.1')]), halt()."
            name = ["-name", "second@127.0.0.1", "-dist_listen", "false"]
            assert node_says(otp, *name, *distribution, *second, "-eval", ask) == "{[5,8,1,4],[7,10,2,5]}\n"
        finally:
            listener.kill()
            listener.wait(PATIENCE)
