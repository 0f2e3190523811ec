"""The limiter: exact below its threshold, never above its ceiling, whatever comes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from agents.action.limiter import Limiter, LimiterConfig

RATE = 44_100
CEILING = 10 ** (-1 / 20)


def noise(level, n=8000, seed=0):
    generator = np.random.default_rng(seed)
    return (level * generator.uniform(-1, 1, (n, 2))).astype(np.float32)


def test_below_the_threshold_nothing_changes_but_the_delay():
    limiter = Limiter(RATE, 2)
    quiet = noise(0.7)
    out = limiter.process(quiet)
    np.testing.assert_array_equal(out[limiter.latency_samples :], quiet[: -limiter.latency_samples])
    assert limiter.take_levels().reduction_db == 0


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (700, 2), elements=st.floats(width=32)))
def test_no_input_passes_the_ceiling(block):
    limiter = Limiter(RATE, 2)
    out = np.concatenate([limiter.process(block), limiter.process(np.zeros_like(block))])
    assert np.isfinite(out).all()
    assert np.abs(out.astype(np.float64)).max() <= CEILING


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 1500), st.floats(0.5, 20))
def test_blocks_of_any_size_give_the_same_limited_samples(block, level):
    signal = noise(level)
    signal[3000:7000] *= 0.01
    whole = Limiter(RATE, 2).process(signal)
    limiter = Limiter(RATE, 2)
    pieces = [limiter.process(signal[at : at + block]) for at in range(0, len(signal), block)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_nan_and_infinity_become_silence_and_are_counted():
    limiter = Limiter(RATE, 1, LimiterConfig(lookahead_seconds=0))
    out = limiter.process(np.array([[np.nan], [np.inf], [-np.inf], [0.5]], dtype=np.float32))
    np.testing.assert_array_equal(out[:, 0], np.array([0, 0, 0, 0.5], dtype=np.float32))
    assert limiter.sanitised == 3


def test_it_comes_to_rest_after_a_peak_and_is_exact_again():
    limiter = Limiter(RATE, 2)
    limiter.process(noise(3.0))
    for _ in range(20):
        limiter.process(noise(0.1, RATE // 10))
    quiet = noise(0.6)
    out = limiter.process(quiet)
    np.testing.assert_array_equal(out[limiter.latency_samples :], quiet[: -limiter.latency_samples])


def test_the_gain_never_jumps_even_at_a_sudden_peak():
    tone = np.full((6000, 1), 0.5, dtype=np.float32)
    tone[3000:3100] = 4.0
    limiter = Limiter(RATE, 1)
    out = limiter.process(tone)[limiter.latency_samples :, 0]
    before_the_peak = out[2000:2999]
    assert np.abs(np.diff(before_the_peak)).max() < 0.5 * 1.2 / limiter.latency_samples


def test_a_louder_peak_comes_out_louder_up_to_the_ceiling():
    peaks = []
    for level in (0.7, 0.8, 1.0, 2.0, 8.0):
        limiter = Limiter(RATE, 1, LimiterConfig(lookahead_seconds=0))
        peaks.append(float(limiter.process(np.full((1, 1), level, dtype=np.float32))[0, 0]))
    assert peaks == sorted(peaks)
    assert len(set(peaks)) == 5
    assert peaks[-1] < CEILING


def test_both_channels_get_one_gain():
    block = noise(0.2)
    block[1000, 0] = 3.0
    limiter = Limiter(RATE, 2, LimiterConfig(lookahead_seconds=0))
    out = limiter.process(block)
    ratio = out[1001:1200] / block[1001:1200]
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1], rtol=1e-5)
    assert ratio.max() < 0.9


def test_levels_are_of_the_time_since_they_were_taken():
    limiter = Limiter(RATE, 2, LimiterConfig(lookahead_seconds=0))
    limiter.process(noise(2.0))
    loud = limiter.take_levels()
    assert loud.reduction_db > 3
    assert 0.7 < loud.peak <= CEILING
    assert limiter.take_levels().peak == 0


def test_a_threshold_above_the_ceiling_is_refused():
    with pytest.raises(ValidationError, match="threshold_db must lie below ceiling_db"):
        LimiterConfig(threshold_db=-0.5)
