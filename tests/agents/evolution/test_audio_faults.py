"""Every detector fires on its fault and stays silent on clean music, percussion included."""

import numpy as np
import pytest

from agents.evolution.audio_faults import FaultConfig, count_clicks, find_faults, harsh_share
from corpus.sound_font import find_sound_font

RATE = 44_100


def tone(seconds=3.0, hz=220.0, level=0.3):
    t = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hz * t) * np.minimum(1, t / 0.01)).astype(np.float32)


def struck(hz_of_hit, decay_seconds, per_second=4, seconds=4.0, noise=False, seed=0):
    """Things struck `per_second` times a second: noise or a sine under a decaying envelope."""
    rng = np.random.default_rng(seed)
    n = round(RATE / per_second)
    t = np.arange(n) / RATE
    envelope = np.minimum(1, t / 0.0007) * np.exp(-t / decay_seconds)
    envelope *= np.minimum(1, (t[-1] - t) / 0.02)  # damped before the next one: no step
    hits = []
    for _ in range(round(seconds * per_second)):
        body = rng.normal(0, 0.3, n) if noise else np.sin(2 * np.pi * hz_of_hit * t)
        hits.append(0.5 * envelope * body)
    return np.concatenate(hits).astype(np.float32)


def chords(seconds=4.0):
    t = np.arange(round(seconds * RATE)) / RATE
    beat = t % 0.5
    envelope = np.minimum(1, np.minimum(beat / 0.01, (0.5 - beat) / 0.02)) * np.exp(-2 * beat)
    partials = sum(np.sin(2 * np.pi * f * k * t) / k for f in (220, 277, 330) for k in (1, 2, 3, 4))
    return (0.1 * envelope * partials).astype(np.float32)


CLEAN = {
    "a held tone": tone(),
    "chords": chords(),
    "a kick drum": struck(60, 0.08),
    "a snare": struck(0, 0.06, noise=True),
    "fast closed hats": struck(0, 0.02, per_second=10, noise=True),
    "woodblocks": struck(900, 0.02, per_second=6),
    "a kit": struck(60, 0.08) + 0.4 * struck(0, 0.03, per_second=10, noise=True),
    "a loud peak of two samples": np.where(np.arange(3 * RATE) % RATE < 2, 1.0, tone()).astype(
        np.float32
    )[: 3 * RATE]
    * 0.97,
    "rests of a second": np.concatenate([chords(2), np.zeros(RATE, np.float32), chords(2)]),
}


@pytest.mark.parametrize("name", [name for name in CLEAN if "peak" not in name])
def test_clean_music_has_no_fault(name):
    faults = find_faults(CLEAN[name], RATE)
    assert faults.penalty(FaultConfig().weights) == 0.0, faults


def test_clipping_fires_on_flat_tops_and_not_on_loud_peaks():
    assert find_faults(np.clip(tone(level=2.0), -1, 1), RATE).clipping > 0.9
    assert find_faults(tone(level=0.98), RATE).clipping == 0.0
    assert find_faults(CLEAN["a loud peak of two samples"], RATE).clipping == 0.0


def test_dc_offset_fires_on_an_offset():
    faults = find_faults(chords() + np.float32(0.1), RATE)
    assert faults.dc_offset == 1.0
    assert faults.silence == 0.0


def test_harshness_fires_on_hiss_and_whistling_and_not_on_cymbals():
    """Defect 6: anything struck counted as harsh or discontinuous."""
    hiss = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    assert find_faults(hiss, RATE).harshness > 0.9
    assert find_faults(tone(hz=11_000), RATE).harshness > 0.9
    cymbals = struck(0, 0.02, per_second=8, noise=True)
    assert harsh_share(cymbals, RATE) < 0.1


def test_a_discontinuity_is_found_in_a_tone_and_under_drums():
    tones = tone()
    spliced = np.concatenate([tones[:50_000], tones[60_037:90_000], tones[70_011:]])
    assert count_clicks(spliced, RATE) == 2
    drums = CLEAN["a kick drum"].copy()
    drums[5000 :: RATE // 4] += 0.4
    assert find_faults(drums, RATE).discontinuity > 0.5


def test_dropped_blocks_are_discontinuities():
    gappy = tone().copy()
    for start in range(10_050, len(gappy) - 1000, RATE // 4):
        gappy[start : start + 256] = 0.0
    assert find_faults(gappy, RATE).discontinuity > 0.5


def test_silence_fires_on_silence_however_constant_it_is():
    """Defect 6: a percentile of the clip itself flags a tenth of any clip and never silence."""
    rng = np.random.default_rng(0)
    assert find_faults(rng.normal(0, 1e-5, 2 * RATE).astype(np.float32), RATE).silence == 1.0
    assert find_faults(np.zeros(RATE, np.float32), RATE).silence == 1.0
    half = np.concatenate([chords(2), np.zeros(2 * RATE, np.float32)])
    assert find_faults(half, RATE).silence == pytest.approx(0.5, abs=0.03)


def test_a_quiet_piece_is_not_silent():
    assert find_faults(chords() * np.float32(0.05), RATE).silence == 0.0


@pytest.mark.parametrize(
    ("clip", "rate", "message"),
    [
        (np.zeros((9000, 2), np.float32), RATE, "must be mono"),
        (np.zeros(100, np.float32), RATE, "at least 50 ms"),
        (np.full(RATE, np.nan, np.float32), RATE, "must be finite"),
        (np.zeros(RATE, np.float32), 4000, "at least 8000 Hz"),
    ],
)
def test_a_clip_that_is_none_is_refused(clip, rate, message):
    with pytest.raises(ValueError, match=message):
        find_faults(clip, rate)


@pytest.mark.usefixtures("needs_synthesizer")
def test_rendered_drums_have_no_fault():
    import fluidsynth

    synth = fluidsynth.Synth(gain=0.6, samplerate=float(RATE))
    font = synth.sfload(str(find_sound_font()))
    synth.program_select(9, font, 128, 0)
    hits = []
    for step in range(16):
        for drum in ((36, 42), (42,), (38, 42), (46,), (36, 42), (75,), (38, 37), (49,))[step % 8]:
            synth.noteon(9, drum, 110)
        hits.append(synth.get_samples(RATE // 4).reshape(-1, 2).mean(axis=1) / 32768)
    synth.delete()
    faults = find_faults(np.concatenate(hits).astype(np.float32), RATE)
    assert faults.penalty(FaultConfig().weights) == 0.0, faults
