import logging
import os

import numpy as np
import pytest
import soundfile

from agents.action import memory as memory_module
from agents.action.memory import Memory, build_memory, semitones_of
from agents.action.track import Track
from agents.action.track_cache import TrackCache
from corpus.audio_file import AudioFileError
from corpus.segmentation import WindowGrid, exact_seconds
from models.alphabet import SILENCE
from models.ear import EarConfig, build_ear
from models.key import KeyConfig, RunningKey
from models.labeller import Labeller
from models.vector_quantizer import Codebook

RATE = 16_000
GRID = WindowGrid(RATE, exact_seconds(0.25))


def tone(seconds, frequency=220.0, level=0.3):
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def labeller():
    ear = build_ear(EarConfig(), RATE, 0.25)
    melody = np.concatenate([tone(0.5, 220.0), tone(0.5, 311.0), tone(0.5, 392.0)])
    heard = ear.listen_track(melody, GRID.boundaries(6))
    features = np.array([window.features for window in heard])
    return Labeller(ear, Codebook.fit(features, 3, seed=0))


def track(samples, labels):
    n_segments = len(labels)
    zeros = np.zeros(n_segments, dtype=np.float32)
    labels = np.array([labels], dtype=np.int64)
    return Track(
        samples, GRID.boundaries(n_segments), labels, zeros[None], zeros - 20, zeros, zeros[:, None]
    )


def ramp(n_windows):
    return np.arange(GRID.boundary(n_windows), dtype=np.float32)[:, None]


def test_a_cut_is_the_sound_around_the_segment():
    memory = Memory([track(ramp(3), [0, 1, 2])], GRID)

    sound = memory.cut(1, 10, 20)

    assert sound[:, 0].tolist() == list(range(4000 - 10, 8000 + 20))
    assert sound.dtype == np.float32


def test_a_cut_beyond_the_ends_of_its_file_is_silent_there():
    memory = Memory([track(ramp(2) + 1, [0, 1]), track(ramp(1) + 1, [2])], GRID)

    first, last, other = memory.cut(0, 5, 0), memory.cut(1, 0, 7), memory.cut(2, 3, 3)

    assert first[:6, 0].tolist() == [0, 0, 0, 0, 0, 1]
    assert last[-8:, 0].tolist() == [8000, 0, 0, 0, 0, 0, 0, 0]
    assert other[:4, 0].tolist() == [0, 0, 0, 1]
    assert other[-4:, 0].tolist() == [4000, 0, 0, 0]


def test_a_cut_is_a_copy():
    memory = Memory([track(ramp(1), [0])], GRID)

    memory.cut(0, 0, 0)[:] = 7

    assert memory.cut(0, 0, 0)[1, 0] == 1


def test_segments_are_counted_over_all_files():
    memory = Memory([track(ramp(2), [0, SILENCE]), track(ramp(3), [2, 2, 1])], GRID)

    assert len(memory) == 5
    assert memory.labels.tolist() == [[0, SILENCE, 2, 2, 1]]
    assert memory.starts == (0, 2)
    assert memory.playable == ({0, 1, 2},)
    assert memory.typical_db == -20


def test_a_memory_of_no_file_is_refused():
    with pytest.raises(ValueError, match=r"at least one track.*got 0"):
        Memory([], GRID)


def test_one_second_of_any_format_becomes_four_segments(tmp_path, labeller):
    stereo = np.repeat(tone(3.0)[::3, None], 2, axis=1)
    path = write(tmp_path / "second.wav", stereo, RATE)

    memory = build_memory([path], labeller, GRID, 2)

    assert len(memory) == 4
    assert memory.channels == 2
    assert len(memory.playable[0]) == 1
    assert np.allclose(memory.cut(1, 0, 0), stereo[4000:8000], atol=1e-6)


def test_labels_are_those_of_the_shared_ear(tmp_path, labeller):
    melody = np.concatenate([tone(1, 220.0), tone(1, 311.0)])

    memory = build_memory([write(tmp_path / "a.wav", melody)], labeller, GRID, 1)

    expected = labeller.label_track(melody, GRID.boundaries(8))
    assert memory.labels[0].tolist() == expected.labels.tolist()
    assert memory.energy_db.tolist() == expected.energy_db.tolist()


def test_less_than_a_window_is_filled_up(tmp_path, labeller):
    memory = build_memory([write(tmp_path / "tick.wav", tone(0.1))], labeller, GRID, 1)

    assert len(memory) == 1


def test_pure_silence_is_a_memory_that_says_so(tmp_path, labeller, caplog):
    path = write(tmp_path / "silence.wav", np.zeros(RATE, dtype=np.float32))

    with caplog.at_level(logging.WARNING):
        memory = build_memory([path], labeller, GRID, 1)

    assert memory.is_silent
    assert memory.labels.tolist() == [[SILENCE] * 4]
    assert "all silence" in caplog.text


def test_a_file_that_cannot_be_used_is_named(tmp_path, labeller):
    with pytest.raises(AudioFileError, match=r"none\.wav"):
        build_memory([tmp_path / "none.wav"], labeller, GRID, 1)


def test_a_grid_at_another_rate_than_the_ear_is_refused(labeller):
    with pytest.raises(ValueError, match="16000 Hz, got a grid at 8000 Hz"):
        build_memory([], labeller, WindowGrid(8000, exact_seconds(0.25)), 1)


def refuse_to_listen(*_):
    raise AssertionError("the file was heard again")


def build_cached(path, labeller, tmp_path, fingerprint="ear"):
    cache = TrackCache(tmp_path / "cache", 10**9)
    return build_memory([path], labeller, GRID, 1, cache=cache, fingerprint=fingerprint)


def test_a_file_heard_before_comes_from_the_cache(tmp_path, labeller, monkeypatch):
    path = write(tmp_path / "a.wav", tone(2))
    heard = build_cached(path, labeller, tmp_path)
    monkeypatch.setattr(memory_module, "listen_to", refuse_to_listen)

    cached = build_cached(path, labeller, tmp_path)

    assert cached.labels.tolist() == heard.labels.tolist()
    assert np.array_equal(cached.cut(3, 10, 10), heard.cut(3, 10, 10))


@pytest.mark.parametrize("change", ["content", "fingerprint"])
def test_what_has_changed_is_heard_again(tmp_path, labeller, monkeypatch, change):
    path = write(tmp_path / "a.wav", tone(2))
    build_cached(path, labeller, tmp_path)
    if change == "content":
        write(path, tone(2, 311.0))
    monkeypatch.setattr(memory_module, "listen_to", refuse_to_listen)

    with pytest.raises(AssertionError, match="heard again"):
        build_cached(path, labeller, tmp_path, "ear" if change == "content" else "other")


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_cache_is_made_again(tmp_path, labeller, damage):
    path = write(tmp_path / "a.wav", tone(2))
    heard = build_cached(path, labeller, tmp_path)
    (entry,) = (tmp_path / "cache").iterdir()
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 0xFF
    entry.write_bytes({"cut": content[: len(content) // 2], "flip": content, "empty": b""}[damage])

    again = build_cached(path, labeller, tmp_path)

    assert again.labels.tolist() == heard.labels.tolist()
    assert np.array_equal(again.cut(0, 0, 7 * 4000), heard.cut(0, 0, 7 * 4000))


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, labeller, caplog):
    path = write(tmp_path / "a.wav", tone(1))
    (tmp_path / "cache").write_text("in the way")

    memory = build_cached(path, labeller, tmp_path)

    assert len(memory) == 4
    assert "must be a folder that can be written" in caplog.text


def cached_names(folder):
    return {path.name for path in folder.glob("*.npz")}


def test_what_was_used_longest_ago_leaves_a_full_cache(tmp_path, labeller):
    paths = [write(tmp_path / f"{i}.wav", tone(1, 200.0 + i)) for i in range(4)]
    folder, names = tmp_path / "cache", []
    for i, path in enumerate(paths[:3]):
        before = cached_names(folder)
        build_memory([path], labeller, GRID, 1, cache=TrackCache(folder, 10**9))
        names += cached_names(folder) - before
        os.utime(folder / names[i], (i, i))
    build_memory([paths[0]], labeller, GRID, 1, cache=TrackCache(folder, 10**9))  # used again
    room_for_three = 3 * max(path.stat().st_size for path in folder.iterdir())

    build_memory([paths[3]], labeller, GRID, 1, cache=TrackCache(folder, room_for_three))

    assert len(cached_names(folder)) == 3
    assert names[1] not in cached_names(folder)


def test_the_memory_in_use_stays_in_the_cache_however_small_that_is(tmp_path, labeller):
    paths = [write(tmp_path / f"{i}.wav", tone(1, 200.0 + i)) for i in range(2)]

    build_memory(paths, labeller, GRID, 1, cache=TrackCache(tmp_path / "cache", 0))

    assert len(cached_names(tmp_path / "cache")) == 2


def test_transposed_segments_are_played_only_for_labels_that_the_memory_lacks():
    own = track(ramp(3), [0, 1, SILENCE])
    shifted = track(ramp(3), [1, 2, SILENCE])

    memory = Memory([own], GRID, [shifted])

    assert memory.labels.tolist() == [[0, 1, SILENCE, SILENCE, 2, SILENCE]]
    assert memory.playable == ({0, 1, 2},)
    assert memory.starts == (0, 3)


def test_a_transposed_memory_has_labels_that_it_lacked(tmp_path, labeller):
    path = write(tmp_path / "a.wav", tone(2, 220.0))
    alone = build_memory([path], labeller, GRID, 1)

    memory = build_memory([path], labeller, GRID, 1, transpose=6)

    assert len(alone.playable[0]) == 1
    assert len(memory.playable[0]) == 3  # 220 Hz, and six semitones up or down: 311 Hz
    assert len(memory) == 13 * len(alone)
    assert memory.names[:3] == ("a.wav", "a.wav +1", "a.wav -1")


def test_only_a_short_memory_is_transposed_unasked(labeller):
    keyed = Labeller(labeller.ear, labeller.codebook, RunningKey(KeyConfig(), 0.25))

    assert semitones_of(None, 100.0, keyed) == [1, -1, 2, -2, 3, -3]
    assert semitones_of(None, 1000.0, keyed) == []
    assert semitones_of(None, 100.0, labeller) == []
    assert semitones_of(1, 1000.0, labeller) == [1, -1]


@pytest.mark.parametrize(
    ("transpose", "seconds", "rule"),
    [(7, 1.0, "transpose must be in 0..6"), (6, 400.0, "must stay under 3600 s")],
)
def test_too_much_transposition_is_refused(labeller, transpose, seconds, rule):
    with pytest.raises(ValueError, match=rule):
        semitones_of(transpose, seconds, labeller)
