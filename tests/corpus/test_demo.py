from itertools import pairwise, permutations

import numpy as np
import pytest
import soundfile

from corpus.demo import DEMO_AUDIO, DEMO_GUIDE, DEMO_MEMORY, DEMO_SCORES, DEMO_SONGS, stem_path
from corpus.notation import chord_pitch_classes
from corpus.score import load_score
from corpus.sound_font import render_notes
from launch import render_demo

STEMS = [path for stems in DEMO_SONGS.values() for path in stems.values()] + [DEMO_GUIDE]
PARTS = [(piece, part) for piece in DEMO_SCORES for part in load_score(DEMO_SCORES[piece]).parts]


def test_every_part_of_every_score_has_its_stem():
    assert {DEMO_AUDIO / stem_path(piece, part) for piece, part in PARTS} == set(STEMS)


def test_the_guide_is_no_training_stem_and_the_memory_is():
    training = set(STEMS) - {DEMO_GUIDE}
    assert len(training) == len(STEMS) - 1
    assert set(DEMO_MEMORY) <= training


def test_all_audio_together_stays_under_eight_megabytes():
    assert sum(path.stat().st_size for path in DEMO_AUDIO.rglob("*.ogg")) < 8e6


@pytest.mark.parametrize("path", STEMS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_stem_is_mono_unclipped_and_as_long_as_its_score(path):
    piece = "guide" if path == DEMO_GUIDE else path.parent.name
    samples, rate = soundfile.read(path)
    expected = load_score(DEMO_SCORES[piece]).seconds + render_demo.RING_SECONDS
    assert rate == render_demo.SAMPLE_RATE
    assert samples.shape == (int(expected * rate),)
    assert 60 <= expected <= 90
    assert -6 < 20 * np.log10(np.abs(samples).max()) < -3
    assert -27 < 20 * np.log10(samples.std()) < -15


@pytest.mark.parametrize(("piece", "part"), PARTS)
def test_what_sounds_agrees_with_the_written_harmony(piece, part):
    score = load_score(DEMO_SCORES[piece])
    in_chord = total = 0.0
    for note in score.parts[part].notes:
        chord = chord_pitch_classes(score.chord_at(note.onset_beats))
        total += float(note.length_beats)
        in_chord += float(note.length_beats) * (note.pitch % 12 in chord)
    assert in_chord / total > 0.85


@pytest.mark.parametrize("song", DEMO_SONGS)
def test_every_part_rests_for_a_bar_while_another_plays(song):
    score = load_score(DEMO_SCORES[song])
    bars = {
        name: {int(n.onset_beats // 4) for n in part.notes} for name, part in score.parts.items()
    }
    assert all(any(bars[other] - bars[name] for other in bars if other != name) for name in bars)


@pytest.mark.parametrize("song", DEMO_SONGS)
def test_parts_agree_in_pitch_more_than_any_rotation_of_them(song):
    score = load_score(DEMO_SCORES[song])
    profiles = [beat_profiles(part.notes, score.n_bars * 4) for part in score.parts.values()]
    for one, two in permutations(profiles, 2):
        shifted = [agreement(one, np.roll(two, beats, axis=0)) for beats in range(3, len(two) - 2)]
        assert agreement(one, two) > 1.5 * np.mean(shifted)


def beat_profiles(notes, n_beats):
    """Which pitch classes sound in each beat, shape (beats, 12)."""
    profiles = np.zeros((n_beats, 12))
    for note in notes:
        for beat in range(int(note.onset_beats), -int(-note.end_beats // 1)):
            profiles[beat, note.pitch % 12] = 1
    return profiles


def agreement(one, two):
    """Mean cosine of two profiles over the beats in which both sound."""
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    both = norms > 0
    return float(((one * two).sum(axis=1)[both] / norms[both]).mean())


def test_the_guide_moves_over_progressions_of_the_songs():
    def steps(piece):
        bars = load_score(DEMO_SCORES[piece]).harmony
        return {(a[-1], b[0]) for a, b in pairwise(bars)}

    known = set().union(*(steps(song) for song in DEMO_SONGS))
    guide = steps("guide")
    assert len(guide & known) / len(guide) > 0.8


@pytest.mark.usefixtures("needs_synthesizer")
@pytest.mark.parametrize(("piece", "part"), [("call_and_answer", "piano"), ("guide", "guide")])
def test_the_committed_sound_is_what_the_score_renders_to(piece, part):
    score = load_score(DEMO_SCORES[piece])
    n_samples = 4 * render_demo.SAMPLE_RATE
    fresh = render_notes(
        score.parts[part].notes, score.parts[part].instrument, score.tempo_bpm, n_samples
    )
    committed, _ = soundfile.read(DEMO_AUDIO / stem_path(piece, part), frames=n_samples)
    assert np.corrcoef(fresh, committed)[0, 1] > 0.99


@pytest.mark.usefixtures("needs_synthesizer")
def test_the_script_writes_whole_files_of_one_piece(tmp_path, capsys):
    assert render_demo.main(["--only", "guide", "--out", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["guide.ogg"]
    assert "guide.ogg: 80.0 s" in capsys.readouterr().out
    fresh, committed = (soundfile.read(path)[0] for path in (tmp_path / "guide.ogg", DEMO_GUIDE))
    assert np.corrcoef(fresh, committed)[0, 1] > 0.99


def test_the_script_says_in_one_sentence_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("corpus.sound_font.SOUND_FONTS", ())
    assert render_demo.main(["--out", str(tmp_path)]) == 2
    assert "apt-get install fluidsynth fluid-soundfont-gm" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "stem.ogg"
    path.write_bytes(b"old")

    def fail(*_args):
        raise OSError("disk full")

    monkeypatch.setattr(soundfile.SoundFile, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        render_demo.write_ogg(path, np.zeros(10, np.float32))
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [
        ("stem.ogg", b"old")
    ]
