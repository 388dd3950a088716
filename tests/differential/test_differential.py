"""Random modules do the same interpreted and native; so do those that once did not (regressions/*.erl)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jit.arm32.cpus import ARM1176, CORTEX_A7, Cpu
from jit.erts.arm32.emitters import EMITTERS
from tests.differential import shrink as shrinking
from tests.differential.generator.module import Source, generate, mutated
from tests.differential.planted import MISTAKES, Hunt, Mistake, planted
from tests.differential.shrink import shrink
from tests.differential.total import Total
from tests.differential.workshop import Outcome, Workshop
from tests.harness.releases import MOST_TESTS

REGRESSIONS = sorted(Path(__file__).with_name("regressions").glob("*.erl"))
#: Seeds of modules that are compared as they are, and collecting and yielding wherever that can happen: of such ones
#: that then come to an end, which 1001 does not in minutes.
PLAIN = range(1, 13)
STRESS = range(1002, 1008)
#: How many of them for a release that has not all tests.
SOME = 3
#: Seeds of modules that are compiled for other processors than Debian's.
ELSEWHERE = range(2001, 2002)
#: Seeds of modules whose assembly is changed.
MUTATED = range(7001, 7005)
#: By release, a planted mistake and the seed of a module that shows it. OTP 25 has no operation bs_match.
PLANTED = {
    25: ("the cache has an old value", 1),
    27: ("what is stored before a collection is in no memory", 5),
}


@dataclass(frozen=True)
class File:
    """A module of a file."""

    path: Path
    options: str = ""
    without: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.path.stem

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def workshop(otp: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with Workshop(tmp_path_factory.mktemp("differential"), otp) as one:
        yield one


def wrong(outcomes: list[Outcome]) -> str:
    """What is to be told of modules that are not the same, or do not run."""
    told = [one for one in outcomes if one.wrong or one.refused]
    return "\n".join(f"{one.name}: {one.refused} {' '.join(one.wrong)[:3000]}" for one in told)


@pytest.mark.each_release
def test_regressions(workshop: Workshop) -> None:
    same(list(workshop.run([File(path) for path in REGRESSIONS])))


def test_regressions_under_stress(workshop: Workshop) -> None:
    same(list(workshop.run([File(path, "{d, stress}") for path in REGRESSIONS], stress=True)))


def same(outcomes: list[Outcome]) -> None:
    assert not wrong(outcomes)
    assert all(outcome.cases for outcome in outcomes)


@pytest.mark.each_release
@pytest.mark.parametrize(("seeds", "stress"), [(PLAIN, False), (STRESS, True)], ids=["plain", "stress"])
def test_random_modules(workshop: Workshop, seeds: range, stress: bool) -> None:
    if workshop.otp not in MOST_TESTS:
        seeds = seeds[:SOME]
    sources = [generate(seed, workshop.otp) for seed in seeds]
    outcomes = list(workshop.run(sources, stress=stress))
    total = Total(outcomes)
    assert not wrong(total.wrong), total.text()
    # They all compile, and nearly all end soon.
    assert total.refused.total() <= max(1, len(seeds) // 30), wrong(outcomes)
    assert total.share > 0.8, total.text()
    assert total.values > total.cases / 3, total.text()


@pytest.mark.parametrize("cpu", [ARM1176, CORTEX_A7], ids=["arm1176", "cortex-a7"])
def test_for_another_processor(workshop: Workshop, cpu: Cpu) -> None:
    outcomes = list(workshop.run([generate(seed, workshop.otp) for seed in ELSEWHERE], cpu=cpu))
    assert not wrong(outcomes)


def test_mutated_modules(workshop: Workshop) -> None:
    """Assembly that is valid, but that no compiler makes."""
    outcomes = list(workshop.run([mutated(generate(seed, workshop.otp), seed) for seed in MUTATED]))
    assert not wrong([outcome for outcome in outcomes if outcome.wrong])
    assert sum(outcome.values for outcome in outcomes), wrong(outcomes)


def test_an_error_is_found_and_made_small(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were native code wrong, this would tell: here is_nil does nothing."""
    monkeypatch.setitem(EMITTERS, "is_nil", lambda _e, _fail, _source: None)
    monkeypatch.setattr(shrinking, "_TRIES", 40)
    source, outcome = _first_wrong(workshop)
    before = len(source.text())
    smaller, outcome = shrink(source, outcome, workshop)
    assert outcome.wrong
    assert "[]" in smaller.text()
    assert len(smaller.text()) < before / 3


def _first_wrong(workshop: Workshop) -> tuple[Source, Outcome]:
    for seed in range(1, 20):
        source = generate(seed, workshop.otp)
        (outcome,) = workshop.run([source])
        if outcome.wrong:
            return source, outcome
    pytest.fail("no difference is found")


def test_a_planted_mistake_is_found(workshop: Workshop) -> None:
    """Of matches, which people have found: a constant, a field that is used later, and a tail that needs heap."""
    name, seed = PLANTED.get(workshop.otp, PLANTED[27])
    (mistake,) = (one for one in MISTAKES if one.name == name)
    assert Hunt(workshop, range(seed, seed + 1)).find(mistake).wrong


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_mistakes_can_be_planted(mistake: Mistake) -> None:
    """The text that is changed is there, once; what is compiled of it takes the function's place and goes again."""
    before = mistake.function.__code__
    with planted(mistake):
        assert mistake.function.__code__ != before
    assert mistake.function.__code__ is before
