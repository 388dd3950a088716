"""Keeps what was found in builds of the interpreter, by build id, in the user's cache folder."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from beamgdb.interpreter.points import Point, Points, Spot
from beamgdb.interpreter.roles import Roles
from beamgdb.late import dataclass
from jit.system.cache_folder import cache_folder

FORMAT = 4
"""Changes when what is found does, or how it is found."""

_BUILD_ID = re.compile(r"[0-9a-f]{8,128}")


@dataclass(frozen=True)
class Found:
    """What was found in a build. `frame_size`: bytes from the stack pointer of `process_main` to its CFA, None where
    that is not known."""

    roles: Roles
    points: Points
    frame_size: int | None = None


def load(build_id: str | None) -> Found | None:
    """What was kept for a build. None without it, also where the file is damaged: then it is made anew."""
    path = _file(build_id)
    if path is None:
        return None
    try:
        kept = json.loads(path.read_text("utf-8"))
        if (kept["format"], kept["build_id"]) != (FORMAT, build_id):
            return None
        roles = Roles(**{name: str(place) for name, place in kept["roles"].items()})
        size = kept["frame_size"]
        return Found(roles, dict(_points(kept)), None if size is None else int(size))
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def save(build_id: str | None, found: Found) -> None:
    """Keep it; where that is not possible, it is found again the next time."""
    path = _file(build_id)
    if path is None:
        return
    kinds = list(dict.fromkeys(found.points.values()))
    numbers = {kind: number for number, kind in enumerate(kinds)}
    content = {
        "format": FORMAT,
        "build_id": build_id,
        "frame_size": found.frame_size,
        "roles": asdict(found.roles),
        "kinds": [[kind.instructions, kind.stack] for kind in kinds],
        "points": [[offset, int(calling), numbers[kind]] for (offset, calling), kind in found.points.items()],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
            json.dump(content, file, separators=(",", ":"))
        Path(file.name).replace(path)
    except OSError:
        return


def _points(kept: dict[str, Any]) -> Iterator[tuple[tuple[int, bool], Point]]:
    kinds = [Point(tuple(map(_place, places)), _register(stack)) for places, stack in kept["kinds"]]
    for offset, calling, kind in kept["points"]:
        yield (int(offset), bool(calling)), kinds[kind]


def _place(kept: list[Any]) -> Spot:
    name, offset = kept
    return str(name), int(offset)


def _register(kept: Any) -> str | None:
    return None if kept is None else str(kept)


def _file(build_id: str | None) -> Path | None:
    if build_id is None or not _BUILD_ID.fullmatch(build_id):
        return None
    try:
        return cache_folder() / f"interpreter-{build_id}.json"
    except RuntimeError:  # There is no home.
        return None
