"""Where programs and sounds lie, on programs whose likeness anybody hears."""

import gc

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from agents.code_ranking import prediction
from agents.code_ranking.diversity import most_distinct
from agents.code_ranking.prediction import STORED, SoundPredictor, stored_predictor
from agents.code_ranking.views import EventView
from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.renderer import Renderer
from corpus.sonic_pi.unroller import Unroller
from models.audio_embedding import AudioSpace, AxisWeights, distances_between
from models.ridge import Ridge

BEAT = "live_loop :beat do\n  sample :bd_haus, amp: {amp}\n  sleep {sleep}\nend\n"
PAD = (
    "live_loop :pad do\n  synth :hollow, note: (chord :{note}, :minor), sustain: 2, release: 2\n"
    "  sleep 4\nend\n"
)
BELLS = (
    "live_loop :bells do\n  synth :pretty_bell, note: (scale :c6, :major).tick, release: 0.3\n"
    "  sleep 0.25\nend\n"
)


@pytest.fixture(scope="module")
def predictor():
    return stored_predictor()


def apart(predictor, first, second, weights=None):
    points = np.stack([predictor.foresee(first).point, predictor.foresee(second).point])
    return float(distances_between(predictor.space.weigh(points, weights))[0, 1])


def test_a_louder_beat_is_the_same_and_pads_are_another_world(predictor):
    beat = BEAT.format(amp=1, sleep=0.5)
    louder, slower = BEAT.format(amp=1.5, sleep=0.5), BEAT.format(amp=1, sleep=0.75)
    pad = PAD.format(note="e3")
    assert apart(predictor, beat, louder) < 0.3 * apart(predictor, beat, slower)
    assert apart(predictor, beat, slower) < 0.7 * apart(predictor, beat, pad)


def test_axes_tell_a_slower_beat_from_a_chord_in_another_key(predictor):
    beats = BEAT.format(amp=1, sleep=0.5), BEAT.format(amp=1, sleep=0.75)
    pads = PAD.format(note="e3"), PAD.format(note="bb3")
    rhythm, harmony = AxisWeights(timbre=0, harmony=0), AxisWeights(timbre=0, rhythm=0)
    assert apart(predictor, *beats, rhythm) > apart(predictor, *beats, harmony)
    assert apart(predictor, *pads, harmony) > apart(predictor, *pads, rhythm)


def test_several_programs_are_foreseen_together_as_alone(predictor):
    codes = [BEAT.format(amp=1, sleep=0.5), "play (", "", BELLS, PAD.format(note="e3"), BELLS]
    for together, code in zip(predictor.foresee_all(codes), codes, strict=True):
        alone = predictor.foresee(code)
        np.testing.assert_allclose(together.point, alone.point, rtol=1e-6, atol=1e-6)
        assert (together.coverage, together.errors) == (alone.coverage, alone.errors)
        assert together.n_events == alone.n_events
    assert predictor.foresee_all([]) == []


@pytest.mark.parametrize("is_on", [True, False])
def test_the_garbage_collector_is_left_as_it_was(predictor, is_on):
    was_on = gc.isenabled()
    (gc.enable if is_on else gc.disable)()
    try:
        predictor.foresee(BELLS)
        assert gc.isenabled() == is_on
    finally:
        (gc.enable if was_on else gc.disable)()


def test_the_most_distinct_three_hold_one_of_each_kind(predictor):
    codes = [BEAT.format(amp=1, sleep=s) for s in (0.5, 0.55)]
    codes += [PAD.format(note=n) for n in ("e3", "eb3")] + [BELLS]
    points = np.stack([predictor.foresee(code).point for code in codes])
    chosen = most_distinct(distances_between(points), 3, np.random.default_rng(0))
    assert [index // 2 for index in chosen] == [0, 1, 2]


def test_one_program_alone_gives_what_it_gives_among_others(predictor):
    first = predictor.foresee(BELLS).point
    predictor.foresee(PAD.format(note="e3"))
    np.testing.assert_array_equal(predictor.foresee(BELLS).point, first)


@pytest.mark.parametrize("code", ["", "live_loop :a do", "play 60,,", "no_such_thing 3"])
def test_programs_that_play_nothing_give_a_finite_point_and_say_so(predictor, code):
    foreseen = predictor.foresee(code)
    assert np.isfinite(foreseen.point).all()
    assert foreseen.n_events == 0


def test_what_was_remembered_is_not_taken_for_what_another_predictor_says(
    predictor, tmp_path, monkeypatch
):
    tensors = load_file(STORED / "space.safetensors")
    ridge = Ridge.load(STORED / "ridge.safetensors")

    def key(scale=1.0):
        save_file(tensors | {"deviation": scale * tensors["deviation"]}, tmp_path / "space")
        space = AudioSpace.load(tmp_path / "space")
        return SoundPredictor(space, ridge, EventView(stored_atlas()), Unroller()).key

    assert key() == predictor.key
    assert key(2.0) != predictor.key
    monkeypatch.setattr(prediction, "find_random_stream", lambda: None)
    prediction._makings.cache_clear()
    assert key() != predictor.key
    without_stream = key()
    monkeypatch.setattr(prediction, "_MADE_OF", prediction._MADE_OF[:-1])
    prediction._makings.cache_clear()
    assert key() != without_stream
    prediction._makings.cache_clear()


@pytest.mark.usefixtures("needs_sonic_pi")
def test_a_program_is_foreseen_nearer_to_its_own_sound_than_to_another(predictor):
    codes = (BEAT.format(amp=1, sleep=0.5), PAD.format(note="e3"), BELLS)
    with Renderer() as renderer:
        renderings = [renderer.render(code, 10.0) for code in codes]
    heard = np.stack([predictor.point_of_sound(r.audio, r.sample_rate) for r in renderings])
    foreseen = np.stack([predictor.foresee(code).point for code in codes])
    by_events = np.stack([predictor.point_of_events(r.events) for r in renderings])
    for predicted in (foreseen, by_events):
        distances = distances_between(predicted, heard)
        assert distances.argmin(axis=1).tolist() == [0, 1, 2]
        assert distances.argmin(axis=0).tolist() == [0, 1, 2]


def test_a_regression_into_another_space_is_refused(predictor):
    rng = np.random.default_rng(0)
    ridge = Ridge.fit(
        rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32), 1.0
    )
    with pytest.raises(ValueError, match="must give points of"):
        SoundPredictor(predictor.space, ridge, EventView(stored_atlas()), Unroller())


def test_a_folder_without_a_predictor_is_refused(tmp_path):
    with pytest.raises(OSError, match="space"):
        SoundPredictor.load(tmp_path)
