"""Which modules are looked at."""

from __future__ import annotations

from beamgdb.evidence.modules import SAMPLE, sampled


def test_a_sample_is_from_all_of_memory_and_bounded() -> None:
    bounds = tuple((at, at + 1) for at in range(10 * SAMPLE + 3))
    sample = sampled(bounds)
    assert len(sample) <= SAMPLE
    assert sample[-1][0] >= 9 * SAMPLE
    assert sampled(bounds[:3]) == bounds[:3]
    assert sampled(()) == ()
