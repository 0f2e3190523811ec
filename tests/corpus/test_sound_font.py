import sys
from fractions import Fraction

import numpy as np
import pytest

from corpus.notation import Note, parse_line
from corpus.sound_font import SynthesizerMissingError, find_sound_font, render_notes


def test_an_unknown_instrument_is_refused():
    with pytest.raises(ValueError, match="instrument must be one of piano"):
        render_notes([], "kazoo", 120, 10)


def test_a_missing_sound_font_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("corpus.sound_font.SOUND_FONTS", ())
    with pytest.raises(SynthesizerMissingError, match="apt-get install fluidsynth"):
        find_sound_font()


def test_a_missing_fluidsynth_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(SynthesizerMissingError, match="pip install pyfluidsynth"):
        render_notes([], "piano", 120, 10, sound_font=tmp_path / "any.sf2")


@pytest.mark.usefixtures("needs_synthesizer")
def test_a_file_that_is_no_sound_font_is_refused_by_name(tmp_path):
    path = tmp_path / "broken.sf2"
    path.write_bytes(b"RIFF")
    with pytest.raises(SynthesizerMissingError, match=r"broken\.sf2 must be a General MIDI"):
        render_notes([], "piano", 120, 10, sound_font=path)


@pytest.mark.usefixtures("needs_synthesizer")
def test_a_note_sounds_from_its_onset_for_an_exact_number_of_samples():
    note = Note(Fraction(1), Fraction(1), 60, 90)
    sound = render_notes([note], "piano", 120, 44_100)
    assert sound.shape == (44_100,)
    assert sound.dtype == np.float32
    before, after = sound[:22_050], sound[22_050:]
    assert np.abs(before).max() < 1e-4
    assert np.abs(after[: 44_100 // 50]).max() > 0.005  # speaks within 20 ms
    assert np.abs(sound).max() < 1


@pytest.mark.usefixtures("needs_synthesizer")
def test_rendering_twice_gives_the_same_samples():
    notes, _ = parse_line("C4+E4+G4 A4:1/2 B4 C5:2")
    one, two = (render_notes(notes, "piano", 120, 88_200) for _ in range(2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.usefixtures("needs_synthesizer")
def test_a_low_sample_rate_keeps_the_grid():
    sound = render_notes(
        [Note(Fraction(2), Fraction(1), 69, 90)], "piano", 120, 32_000, sample_rate=16_000
    )
    assert np.abs(sound[:16_000]).max() < 1e-4
    assert np.abs(sound[16_000:16_800]).max() > 0.005
