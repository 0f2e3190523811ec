import gc
from pathlib import Path

import numpy as np
import pytest

from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.mel import FRAME_SECONDS, N_BANDS, band_hertz, mel_spectrogram
from corpus.sonic_pi.renderer import Renderer
from corpus.sonic_pi.sketch import sketch
from corpus.sonic_pi.sketch_effects import EFFECTS, apply_effect
from corpus.sonic_pi.sketch_sounds import gathered, sounds_of
from corpus.sonic_pi.sketch_tables import tables_of
from corpus.sonic_pi.unroller import Unroller

PROGRAMS = sorted((Path(__file__).parent / "sonic_pi_programs").glob("*.rb"))


@pytest.fixture(scope="module")
def atlas():
    return stored_atlas()


def sketched(code, atlas, seconds=4.0):
    return sketch(Unroller().unroll(code, seconds).events, seconds, atlas)


def loudness(sketch_):
    return sketch_.power.sum(axis=0)


def centre(sketch_):
    weight = sketch_.power.sum(axis=1)
    return float(weight @ band_hertz() / weight.sum())


def test_silence_is_a_sketch_too(atlas):
    empty = sketch((), 2.0, atlas)
    assert empty.power.shape == (N_BANDS, int(2.0 / FRAME_SECONDS))
    assert not empty.power.any()


def test_a_sketch_leaves_nothing_to_the_garbage_collector(atlas):
    code = "with_fx :reverb do\n  with_fx :echo do\n    play 60\n  end\nend"
    sketched(code, atlas)  # tables are made on first use
    events = Unroller().unroll(code, 4.0).events
    was_on = gc.isenabled()
    gc.disable()
    try:
        gc.collect()
        sketch(events, 4.0, atlas)
        assert gc.collect() == 0
    finally:
        (gc.enable if was_on else gc.disable)()


def test_too_short_a_sketch_is_refused(atlas):
    with pytest.raises(ValueError, match="at least"):
        sketch((), 0.01, atlas)


def test_a_sound_begins_at_its_time_and_dies_with_its_envelope(atlas):
    loud = loudness(sketched("sleep 1\nplay 60, sustain: 0.5, release: 0.5", atlas))
    onset = int(1.0 / FRAME_SECONDS)
    assert loud[: onset - 1].max() == 0.0
    assert loud[onset + 2 : onset + 8].min() > 0.0
    assert loud[int(2.1 / FRAME_SECONDS) :].max() == 0.0


def test_power_grows_with_the_square_of_the_amplitude(atlas):
    soft, loud = (sketched(f"play 60, amp: {amp}", atlas) for amp in (0.5, 1.0))
    assert loud.power.sum() == pytest.approx(4 * soft.power.sum(), rel=1e-3)


def test_two_sounds_are_the_sum_of_each(atlas):
    one, other = sketched("play 60", atlas), sketched("play 67", atlas)
    both = sketched("play 60\nplay 67", atlas)
    assert both.power == pytest.approx(one.power + other.power, rel=1e-4, abs=1e-9)


def test_higher_notes_and_faster_samples_sound_higher(atlas):
    assert centre(sketched("play 80", atlas)) > centre(sketched("play 60", atlas))
    slow, fast = ("sample :loop_amen, rate: 0.5", "sample :loop_amen, rate: 2")
    assert centre(sketched(fast, atlas)) > 1.3 * centre(sketched(slow, atlas))
    assert np.count_nonzero(loudness(sketched(fast, atlas))) < 30


def test_a_low_cutoff_sounds_darker(atlas):
    dark, bright = (sketched(f"synth :saw, cutoff: {c}", atlas) for c in (60, 120))
    assert centre(dark) < 0.6 * centre(bright)


def test_an_echo_sounds_again_and_a_reverb_after(atlas):
    hit = "sample :drum_snare_hard\nsleep 3"
    dry = loudness(sketched(hit, atlas))
    echo = loudness(sketched(f"with_fx :echo, phase: 1 do\n{hit}\nend", atlas))
    reverb = loudness(sketched(f"with_fx :reverb, room: 0.9 do\n{hit}\nend", atlas))
    later = int(1.05 / FRAME_SECONDS)
    assert dry[later : later + 2].sum() < 1e-3 * dry.max()
    assert echo[later : later + 2].sum() > 0.1 * dry.max()
    assert reverb[int(0.8 / FRAME_SECONDS)] > 10 * dry[int(0.8 / FRAME_SECONDS)]


def test_a_slide_of_the_note_moves_the_spectrum(atlas):
    code = "s = play 50, sustain: 4, note_slide: 1\nsleep 1\ncontrol s, note: 90"
    power = sketched(code, atlas).power
    early, late = power[:, :15].sum(axis=1), power[:, 60:75].sum(axis=1)
    assert late.argmax() > early.argmax() + 5


def test_how_loud_each_stroke_is_does_not_make_it_another_sound(atlas):
    strokes = [
        Event(time, "sample", "bd_haus", {"amp": amp, "pan": pan}, node)
        for node, (time, amp, pan) in enumerate([(0.0, 1.0, 0.0), (1.0, 0.5, -1.0), (2.0, 2.0, 1)])
    ]
    sounds = sounds_of(gathered(strokes, 3.0).heard, tables_of(atlas))
    assert (len(sounds.kinds), sounds.which, sounds.gains) == (1, [0, 0, 0], [1.0, 0.5, 2.0])
    together = sketch(strokes, 3.0, atlas).power
    alone = [sketch([stroke], 3.0, atlas).power for stroke in strokes[:2]]
    assert together[:, :40] == pytest.approx((alone[0] + alone[1])[:, :40], rel=1e-4, abs=1e-9)


def test_unknown_sounds_are_named(atlas):
    event = Event(0.0, "synth", "theremin", {"note": 60.0}, 1)
    assert sketch((event,), 1.0, atlas).unknown == ("theremin",)


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_effects_keep_shape_and_give_finite_power(name):
    power = np.random.default_rng(2).random((N_BANDS, 40), np.float32)
    after = apply_effect(name, power, {"mix": 0.7, "amp": 0.9})
    assert after.shape == power.shape
    assert np.isfinite(after).all()
    assert after.min() >= 0.0


def test_an_effect_that_is_not_mixed_in_changes_nothing():
    power = np.random.default_rng(3).random((N_BANDS, 40), np.float32)
    assert apply_effect("lpf", power, {"mix": 0.0, "cutoff": 40}) == pytest.approx(power)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["drum_machine", "harmony", "pads_and_slides", "cue_and_state"])
@pytest.mark.usefixtures("needs_sonic_pi")
def test_sketches_resemble_what_is_rendered(atlas, name):
    path = next(path for path in PROGRAMS if path.stem == name)
    code = path.read_text(encoding="utf-8")
    with Renderer() as renderer:
        audio = renderer.render(code, 8.0).audio
    real = mel_spectrogram(audio)
    made = sketched(code, atlas, 8.0).power
    decibels = [10 * np.log10(p.mean(axis=1) / p.mean() + 1e-5) for p in (made, real)]
    assert np.corrcoef(*decibels)[0, 1] > 0.95


def loudest_band(sketch_):
    return float(band_hertz()[sketch_.power.sum(axis=1).argmax()])


def test_frequency_modulation_moves_the_tones_of_fm(atlas):
    plain = sketched("synth :fm, note: 69, divisor: 2, depth: 0.01", atlas)
    wide = sketched("synth :fm, note: 69, divisor: 0.5, depth: 8", atlas)
    assert loudest_band(plain) == pytest.approx(440.0, rel=0.1)
    assert centre(wide) > 1.5 * centre(plain)
    assert wide.power.sum() == pytest.approx(plain.power.sum(), rel=0.3)


def test_a_mod_synth_goes_to_and_fro_between_two_notes(atlas):
    code = "synth :mod_sine, note: 60, mod_range: 24, mod_phase: 1, sustain: 4"
    power = sketched(code, atlas).power
    first, second = power[:, 2:8].sum(axis=1).argmax(), power[:, 13:19].sum(axis=1).argmax()
    assert abs(int(first) - int(second)) > 5


def test_an_effect_that_is_changed_changes_the_sound_from_then_on(atlas):
    code = """
with_fx :lpf, cutoff: 40 do |fx|
  synth :noise, sustain: 4
  sleep 2
  control fx, cutoff: 120
end"""
    made = sketched(code, atlas)
    hertz, middle = band_hertz() > 2000, int(2.0 / FRAME_SECONDS)
    dark = made.power[hertz, 2 : middle - 2].sum()
    bright = made.power[hertz, middle + 2 : 2 * middle - 4].sum()
    assert bright > 100 * dark


def test_a_second_slide_takes_over_where_the_first_has_come_to(atlas):
    code = """
s = play 50, sustain: 4, note_slide: 2
control s, note: 90
sleep 1
control s, note: 50"""
    power = sketched(code, atlas).power
    tops = [int(power[:, int(t / FRAME_SECONDS)].argmax()) for t in (0.3, 1.1, 3.2)]
    assert tops[0] < tops[1]
    assert tops[2] < tops[1]


def test_loud_sums_meet_the_limiter(atlas):
    code = "20.times { synth :saw, note: 60, sustain: 3, amp: 2 }"
    assert sketched(code, atlas).power.sum(axis=0).max() < 0.5


def test_muffling_a_saw_keeps_its_level_and_a_noise_loses_it(atlas):
    saw = [sketched(f"synth :saw, note: 50, cutoff: {c}", atlas).power.sum() for c in (60, 100)]
    noise = [sketched(f"synth :noise, cutoff: {c}", atlas).power.sum() for c in (60, 100)]
    assert saw[0] > 0.8 * saw[1]
    assert noise[0] < 0.2 * noise[1]
