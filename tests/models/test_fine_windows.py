"""Segments heard by fine windows: what training reads from disk is what the stage hears."""

from itertools import pairwise

import numpy as np
import pytest

from models.ear import EarConfig, build_ear
from models.energy_gate import EnergyGateConfig
from models.fine_windows import FINE_SECONDS, FineEar, build_fine_ear, on_grid, pool

RATE = 8000


def test_pooled_features_are_means_of_the_frames_that_end_inside():
    frames = np.array([[1.0], [3.0], [5.0], [7.0]], np.float32)
    ends = np.array([10, 20, 30, 40])
    assert pool(frames, ends, np.array([0, 20, 40]))[:, 0].tolist() == [2.0, 6.0]
    assert pool(frames, ends, np.array([0, 15, 40]))[:, 0].tolist() == [1.0, 5.0]


def test_a_window_without_frames_takes_the_last_before_and_never_a_later_one():
    frames = np.array([[1.0], [3.0]], np.float32)
    assert pool(frames, np.array([10, 30]), np.array([10, 15, 20]))[:, 0].tolist() == [1.0, 1.0]


def test_frames_without_ends_are_refused():
    with pytest.raises(ValueError, match="an end for each"):
        pool(np.zeros((2, 1), np.float32), np.array([1]), np.array([0, 5]))


def test_levels_are_pooled_as_power_and_silence_needs_every_frame():
    heard = {
        "features": np.array([[1.0], [3.0], [5.0], [5.0]], np.float32),
        "energy_db": np.array([-20.0, -30.0, -90.0, -90.0], np.float32),
        "onset": np.array([0.4, 0.0, 0.0, 0.0], np.float32),
        "silent": np.array([False, True, True, True]),
    }
    found = on_grid(heard, np.array([10, 20, 30, 40]), np.array([0, 20, 40]))
    assert found["features"][:, 0].tolist() == [2.0, 5.0]
    assert found["energy_db"][0] == pytest.approx(10 * np.log10((0.01 + 0.001) / 2), abs=1e-3)
    assert found["onset"][0] == pytest.approx(0.2)
    assert found["silent"].tolist() == [False, True]


def test_pooling_on_a_uniform_grid_gives_the_means_of_whole_windows():
    rng = np.random.default_rng(0)
    frames = rng.random((40, 3)).astype(np.float32)
    found = pool(frames, np.arange(1, 41) * 50, np.arange(0, 9) * 250)
    np.testing.assert_allclose(found, frames.reshape(8, 5, 3).mean(axis=1), atol=1e-6)


def clicks_and_tones(seconds, rate=RATE, seed=0):
    """A tone of a new pitch every 0.3 s with a click at its start, rests between."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    note = (t / 0.3).astype(int)
    hertz = 220 * 2 ** (rng.integers(0, 24, note[-1] + 1) / 12)
    loud = rng.choice([0.0, 0.05, 0.3], note[-1] + 1)
    click = np.exp(-200 * (t % 0.3))
    sound = loud[note] * (np.sin(2 * np.pi * hertz[note] * t) + click)
    return (sound * np.exp(-3 * (t % 0.3))).astype(np.float32)


def boundaries(n, rate, per_minute):
    """Floors of exact multiples of a segment, of which there are `per_minute`."""
    return np.array([60 * k * rate // per_minute for k in range(n + 1)])


def fine_fields(samples, rate):
    """What an import writes of fine windows, and where each of them ends."""
    bounds = np.array([k * rate // 20 for k in range(20 * len(samples) // rate + 1)])
    heard = list(build_ear(EarConfig(), rate, FINE_SECONDS).listen_track(samples, bounds))
    names = ("features", "energy_db", "onset", "silent")
    return {n: np.array([getattr(one, n) for one in heard]) for n in names}, bounds[1:]


@pytest.mark.parametrize("rate", [RATE, 22_050])
@pytest.mark.parametrize("per_minute", [240, 220, 146, 97])
def test_live_segments_are_those_that_training_reads(rate, per_minute):
    samples = clicks_and_tones(12, rate)
    bounds = boundaries(12 * per_minute // 60 - 1, rate, per_minute)
    fields, ends = fine_fields(samples, rate)
    trained = on_grid(fields, ends, bounds)
    ear = build_fine_ear(EarConfig(), rate, 60 / per_minute)
    live = [ear.listen(samples[a:b]) for a, b in pairwise(bounds)]
    for name, rows in trained.items():
        told = np.array([getattr(one, name) for one in live])
        np.testing.assert_allclose(told, rows, atol=1e-5, rtol=1e-5, err_msg=name)
    assert 0 < np.mean(trained["silent"]) < 1
    assert all(len(one.attacks) == ear.n_parts == int(1200 / per_minute) for one in live)


def test_attacks_are_told_in_the_part_of_the_segment_in_which_they_come():
    samples = np.zeros(2 * RATE, np.float32)
    samples[RATE + round(0.16 * RATE) :] = clicks_and_tones(1, seed=5)[: round(0.84 * RATE)]
    ear = build_fine_ear(EarConfig(), RATE, 0.25)
    heard = list(ear.listen_track(samples, np.arange(9) * RATE // 4))
    assert np.argmax(heard[4].attacks) == 3
    assert max(heard[3].attacks) == 0.0


def test_windows_all_a_little_short_are_heard_too():
    samples, ear = clicks_and_tones(10, 22_050), build_fine_ear(EarConfig(), 22_050, 0.25)
    heard = [ear.listen(samples[k * 5512 : (k + 1) * 5512]) for k in range(39)]  # 5512.5 are 0.25 s
    assert {len(one.attacks) for one in heard} == {5}


def test_a_track_is_heard_afresh_and_a_gap_counts_as_zeros():
    samples, bounds = clicks_and_tones(7), boundaries(20, RATE, 192)  # 6.25 fine windows each
    ear = build_fine_ear(EarConfig(), RATE, 60 / 192)
    first = list(ear.listen_track(samples, bounds))
    again = list(ear.listen_track(samples, bounds))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.features, two.features)
    quiet = samples.copy()
    quiet[bounds[8] : bounds[11]] = 0.0
    through = list(ear.listen_track(quiet, bounds))
    ear.reset()
    for a, b in pairwise(bounds[:9]):
        ear.listen(samples[a:b])
    ear.skip(0)
    ear.skip(3)
    for k in range(11, 20):
        skipped = ear.listen(samples[bounds[k] : bounds[k + 1]])
        if k >= 12:  # before, frames reach back to where zeros and sound met
            np.testing.assert_allclose(skipped.features, through[k].features, atol=1e-6)
            assert skipped.silent == through[k].silent


@pytest.mark.parametrize("per_minute", [240, 192, 220])
def test_after_a_restart_fine_windows_lie_where_they_lay(per_minute):
    samples, bounds = clicks_and_tones(8), boundaries(20, RATE, per_minute)
    ear = build_fine_ear(EarConfig(), RATE, 60 / per_minute)
    through = [ear.listen(samples[a:b]) for a, b in pairwise(bounds)]
    again = build_fine_ear(EarConfig(), RATE, 60 / per_minute)
    again.restore(through[6].reference_db, 7)
    for k in range(7, 20):
        heard = again.listen(samples[bounds[k] : bounds[k + 1]])
        if k >= 9:  # frames reach back to what was lost
            np.testing.assert_allclose(heard.features, through[k].features, atol=2e-2)
            assert heard.silent == through[k].silent


def test_the_gate_can_be_changed_and_taken_up():
    ear = build_fine_ear(EarConfig(), RATE, 0.25)
    sound = (0.01 * np.sin(np.arange(RATE // 4) * 0.3)).astype(np.float32)
    assert not ear.listen(sound).silent
    ear.use_gate(EnergyGateConfig(floor_db=-20.0))
    assert ear.listen(sound).silent
    ear.use_gate(EnergyGateConfig(threshold_db=20.0))
    ear.restore(-1.0)
    assert ear.listen(sound).silent


@pytest.mark.parametrize(("fine", "length"), [(FINE_SECONDS, 0.09), (0.25, 0.5)])
def test_segments_too_short_and_ears_of_other_windows_are_refused(fine, length):
    with pytest.raises(ValueError, match="take longer segments"):
        FineEar(build_ear(EarConfig(), RATE, fine), length)


def test_a_window_off_the_grid_is_refused():
    with pytest.raises(ValueError, match="cut the audio on the window grid"):
        build_fine_ear(EarConfig(), RATE, 0.3).listen(np.zeros(RATE // 4, np.float32))
