"""Events to descriptions, on events whose sound is known."""

import numpy as np
import pytest

from agents.code_ranking.views import EventView
from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.unroller import Unroller
from models.sound_descriptors import BLOCKS, DESCRIPTION_DIM

CHROMA = BLOCKS[-1].slice


@pytest.fixture(scope="module")
def view():
    return EventView(stored_atlas())


def note(time, pitch, name="beep", **arguments):
    complete = {"note": float(pitch), "amp": 1.0, "release": 0.3, **arguments}
    return Event(time, "synth", name, complete, 1)


def sample(time, name="bd_haus", **arguments):
    return Event(time, "sample", name, {"amp": 1.0, "rate": 1.0, **arguments}, 2)


def test_a_note_sounds_in_its_pitch_class_from_its_onset_to_its_end(view):
    chroma = view.chroma([note(1.0, 69)], 3.0)
    assert chroma.shape == (12, 30)
    assert chroma.sum(axis=1).argmax() == 9
    assert not chroma[:, :9].any()
    assert chroma[9, 10] > 100 * chroma[9, 20]


def test_a_note_that_is_changed_sounds_in_the_pitch_class_where_it_is(view):
    held = note(0.0, 60, sustain=3.0)
    changed = Event(1.0, "control", "beep", {"note": 64.0}, held.node)
    chroma = view.chroma([held, changed], 3.0)
    assert chroma[:, :9].sum(axis=1).argmax() == 0
    assert chroma[:, 12:28].sum(axis=1).argmax() == 4


def test_a_note_that_glides_passes_through_what_lies_between(view):
    held = note(0.0, 60, sustain=3.0, note_slide=2.0)
    glide = Event(0.5, "control", "beep", {"note": 66.0}, held.node)
    loudest = view.chroma([held, glide], 3.0).argmax(axis=0)
    assert loudest[2] == 0
    assert 0 < loudest[15] < 6
    assert loudest[28] == 6


def test_a_note_between_two_semitones_is_shared(view):
    chroma = view.chroma([note(0.0, 69.5)], 1.0).sum(axis=1)
    assert chroma[9] == pytest.approx(chroma[10], rel=0.01)


def test_octaves_fold_and_the_fifth_is_weaker_than_the_note(view):
    low, high = (view.chroma([note(0.0, n)], 1.0).sum(axis=1) for n in (60, 72))
    assert low.argmax() == high.argmax() == 0
    assert low[7] < 0.3 * low[0]


def test_noise_is_everywhere_and_a_note_is_not(view):
    noise, tone = (
        view.chroma([note(0.0, 60, name)], 1.0).sum(axis=1) for name in ("cnoise", "beep")
    )
    assert noise.max() < 0.25 * noise.sum()
    assert tone.max() > 0.5 * tone.sum()


def test_a_bass_sample_sounds_in_its_key_and_turns_with_its_rate(view):
    plain, octave, fourth = (
        view.chroma([sample(0.0, "bass_hard_c", rate=r)], 2.0).sum(axis=1)
        for r in (1.0, 2.0, 2 ** (5 / 12))
    )
    assert plain.argmax() == 0  # C
    assert octave.argmax() == plain.argmax()
    assert fourth.argmax() == (plain.argmax() + 5) % 12


def test_a_sample_sounds_from_its_time_until_its_end(view):
    chroma = view.chroma([sample(1.0, "bd_haus")], 3.0).sum(axis=0)
    assert not chroma[:10].any()
    assert chroma[10] > 0
    assert chroma[25:].sum() < 0.01 * chroma.sum()


def test_unknown_synths_are_pure_tones_and_a_sample_held_still_has_no_pitch(view):
    pure = view.chroma([note(0.0, 62, "no_such_synth")], 1.0).sum(axis=1)
    assert (pure > 0).tolist() == [pitch == 2 for pitch in range(12)]
    assert np.ptp(view.chroma([sample(0.0, rate=0.0)], 1.0).sum(axis=1)) < 1e-9


def test_playing_backwards_does_not_change_pitch(view):
    there, back = (view.chroma([sample(0.0, "bass_hard_c", rate=r)], 1.0) for r in (1.0, -1.0))
    np.testing.assert_array_equal(there, back)


def test_equal_notes_with_shared_arguments_are_heard_each(view):
    one = note(0.0, 60)
    again = one._replace(time=0.5)
    apart = again._replace(arguments=dict(one.arguments), node=3)
    np.testing.assert_allclose(
        view.chroma([one, again], 1.0), view.chroma([one, apart], 1.0), rtol=1e-6
    )


def test_twice_the_amplitude_is_four_times_the_power(view):
    soft, loud = (view.chroma([note(0.0, 60, amp=a)], 1.0).sum() for a in (0.5, 1.0))
    assert loud == pytest.approx(4 * soft, rel=1e-4)


def test_a_description_does_not_depend_on_how_loud_all_is_but_on_what_is_louder(view):
    events = [note(0.0, 60), sample(0.5), note(1.0, 64)]

    def described(factor, of):
        changed = [
            Event(
                e.time, e.kind, e.name, {**e.arguments, "amp": factor if e.kind in of else 1.0}, 1
            )
            for e in events
        ]
        return view.describe(changed, 2.0)

    reference = described(1.0, ())
    assert np.abs(described(0.5, ("synth", "sample")) - reference).max() < 0.05
    assert np.abs(described(0.2, ("sample",)) - reference).max() > 1


def test_no_events_and_unknown_names_give_finite_numbers(view):
    for events in ([], [note(0.0, 60, "no_such_synth")], [sample(0.0, "mine")]):
        described = view.describe(events, 2.0)
        assert described.shape == (DESCRIPTION_DIM,)
        assert np.isfinite(described).all()


def test_a_foreseen_program_is_described_like_its_transposition_but_for_harmony(view):
    unroller = Unroller()
    code = "4.times do\n  play {}\n  sleep 0.5\nend"
    first, second = (
        view.describe(unroller.unroll(code.format(n), 2.0).events, 2.0) for n in (60, 65)
    )
    onsets = BLOCKS[3].slice
    assert np.abs(first[CHROMA][:12] - second[CHROMA][:12]).max() > 0.2
    np.testing.assert_allclose(np.roll(first[CHROMA][:12], 5), second[CHROMA][:12], atol=0.06)
    np.testing.assert_allclose(first[onsets][:40], second[onsets][:40], atol=0.35)
