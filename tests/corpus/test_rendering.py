import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from corpus.midi_song import PITCH_BEND, MidiNote, MidiPart, Shaping
from corpus.rendering import Renderer
from corpus.sound_font import SynthesizerMissingError
from corpus.voices import Voice

pytestmark = pytest.mark.usefixtures("needs_synthesizer")
RATE = 16_000
FLUTE = Voice(program=73)


@pytest.fixture(scope="module")
def renderer():
    try:
        with Renderer(RATE) as one:
            yield one
    except (SynthesizerMissingError, ImportError):
        yield None


def part(*notes, shaping=()):
    return MidiPart("A", 0, False, tuple(MidiNote(*note, 90) for note in notes), tuple(shaping))


def strongest_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return np.argmax(spectrum) * RATE / (1 << 18)


def test_a_stem_has_its_exact_length_and_sounds_from_its_onset(renderer):
    stem = renderer.render(part((1.0, 1.5, 69)), FLUTE, 2.0)
    assert stem.shape == (2 * RATE,)
    assert stem.dtype == np.float32
    assert np.abs(stem[: RATE - 10]).max() < 1e-3
    assert np.abs(stem[RATE : RATE + RATE // 20]).max() > 0.01


def test_stems_rendered_in_another_order_are_the_same_bytes(renderer):
    one, two = part((0.1, 0.7, 60), (0.3, 0.9, 64)), part((0.0, 0.5, 72))
    room = Voice(program=0, reverb_seconds=0.5, seed=3)
    first = [renderer.render(one, room, 1.0), renderer.render(two, FLUTE, 1.0)]
    second = [renderer.render(two, FLUTE, 1.0), renderer.render(one, room, 1.0)]
    assert first[0].tobytes() == second[1].tobytes()
    assert first[1].tobytes() == second[0].tobytes()


IN_ANOTHER_PROCESS = """
import ctypes, hashlib, sys
sys.path.insert(0, sys.argv[1])
ctypes.CDLL(None).srand(int(sys.argv[2]))  # as any library in the process might
from corpus.midi_song import MidiNote, MidiPart
from corpus.rendering import Renderer
from corpus.voices import Voice
part = MidiPart("A", 0, False, (MidiNote(0.1, 0.5, 60, 90),))
with Renderer(16000) as renderer:
    print(hashlib.sha256(renderer.render(part, Voice(program=0), 1.0).tobytes()).hexdigest())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="finds srand in the C library of POSIX")
def test_another_process_with_another_history_renders_the_same_bytes():
    root = str(Path(__file__).parents[2])
    told = {
        subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, root, seed],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout.splitlines()[-1]  # pyfluidsynth says before where it was found, if CI is set
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert len(told.pop()) == 64


def test_two_parts_struck_together_speak_together(renderer):
    notes = part((0.5, 0.9, 60))
    onsets = []
    for program in (0, 6, 11):
        stem = np.abs(renderer.render(notes, Voice(program=program), 1.0))
        onsets.append(int(np.argmax(stem > 0.05 * stem.max())))
    assert max(onsets) - min(onsets) < 0.006 * RATE
    assert abs(onsets[0] - 0.5 * RATE) < 0.012 * RATE


def test_detuning_moves_the_pitch_by_its_cents(renderer):
    plain, sharp = (
        strongest_hz(renderer.render(part((0.0, 1.5, 69)), Voice(program=73, detune_cents=c), 1.5))
        for c in (0.0, 30.0)
    )
    assert 1200 * np.log2(sharp / plain) == pytest.approx(30, abs=3)


def test_a_bend_of_the_file_is_heard_beside_the_detuning(renderer):
    up = part((0.0, 1.5, 69), shaping=[Shaping(0.0, PITCH_BEND, 4096)])
    plain, bent = (
        strongest_hz(renderer.render(p, Voice(program=80, detune_cents=10), 1.5))
        for p in (part((0.0, 1.5, 69)), up)
    )
    assert 1200 * np.log2(bent / plain) == pytest.approx(100, abs=5)


def test_gain_is_a_level_and_never_clips(renderer):
    notes = part((0.0, 1.0, 60))
    quiet, loud = (renderer.render(notes, Voice(program=73, gain_db=g), 1.0) for g in (-6.0, 0.0))
    assert np.abs(loud).max() / np.abs(quiet).max() == pytest.approx(10 ** (6 / 20), rel=0.01)
    assert np.abs(renderer.render(notes, Voice(program=0, gain_db=60.0), 1.0)).max() < 0.9


def test_a_room_answers_after_the_note_has_ended_and_never_before(renderer):
    notes = part((0.5, 0.7, 69))
    dry, wet = (
        renderer.render(notes, Voice(program=80, reverb_seconds=s, reverb_db=-8), 2.0)
        for s in (0.0, 1.5)
    )
    tail = slice(int(1.3 * RATE), int(1.5 * RATE))
    assert np.abs(wet[tail]).max() > 10 * np.abs(dry[tail]).max()
    assert np.abs(wet[: RATE // 2 - 10]).max() < 1e-3


def test_a_closed_renderer_and_a_rate_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"8000\.\.96000"):
        Renderer(4000)
    with Renderer(RATE) as one:
        pass
    with pytest.raises(RuntimeError, match="open another"):
        one.render(part((0.0, 1.0, 60)), FLUTE, 1.0)


def after_the_note(renderer, *pedal, end=1.0):
    """How loud a piano's note is half a second after its end, relative to its loudest."""
    notes = part((0.2, 0.7, 60), (end - 0.2, end, 60), shaping=[Shaping(*one) for one in pedal])
    stem = np.abs(renderer.render(notes, Voice(program=0), 4.0))
    return stem[int(1.2 * RATE) : int(1.6 * RATE)].max() / stem[: int(0.7 * RATE)].max()


def test_a_pedal_lets_a_note_ring_as_long_as_it_is_down(renderer):
    dry = after_the_note(renderer, end=15.0)
    held = after_the_note(renderer, (0.1, 64, 127), (8.0, 64, 0), end=15.0)
    released = after_the_note(renderer, (0.1, 64, 127), (0.8, 64, 0), end=15.0)
    assert held > 0.1
    assert dry < 0.05
    assert released < 0.05


@pytest.mark.parametrize(
    "curve",
    [
        [(0.1, 64, 80), (4.0, 64, 79), (9.0, 64, 83)],  # never comes up
        [(0.1, 64, 127), (12.0, 64, 0)],  # comes up, far too late
        [(0.1, 66, 100)],  # the other pedal
    ],
)
def test_what_stays_down_longer_than_a_pianist_would_is_no_pedal(renderer, curve):
    assert after_the_note(renderer, *curve, end=15.0) < 0.05


def test_after_a_hold_without_end_the_pedal_works_again(renderer):
    again = [(-20.0, 64, 90), (-1.0, 64, 0), (0.1, 64, 127), (5.0, 64, 0)]
    moved = [(seconds + 21.0, number, value) for seconds, number, value in again]
    notes = part((21.2, 21.7, 60), shaping=[Shaping(*one) for one in moved])
    stem = np.abs(renderer.render(notes, Voice(program=0), 25.0))
    assert stem[int(22.2 * RATE) : int(22.6 * RATE)].max() > 0.1 * stem.max()
