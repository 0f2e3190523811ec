"""Pairs and their split."""

import numpy as np
import pytest

from models.paired_labels import LabelledSong, LabelTrack, split_songs


def windows(blocks):
    return {(b.song, b.first_window + t) for b in blocks for t in range(b.warm_up, len(b.heard))}


def test_every_track_answers_every_other(make_song):
    split = split_songs([make_song()], context=10, seed=0)
    first, second = split.train
    np.testing.assert_array_equal(first.heard, second.answer)
    np.testing.assert_array_equal(first.answer, second.heard)


def test_one_direction_lets_only_the_later_track_answer(make_song):
    song = make_song()
    (block,) = split_songs([song], context=10, seed=0, both_directions=False).train
    np.testing.assert_array_equal(block.heard, song.tracks["a"].labels[: len(block.heard)])


def test_few_songs_are_split_by_time_without_overlap(make_song):
    split = split_songs([make_song(n_windows=1000)], context=50, seed=0)
    assert split.by == "time"
    parts = [windows(part) for part in (split.train, split.validation, split.test)]
    assert [len(part) for part in parts] == [700, 100, 200]
    assert not parts[0] & parts[1]
    assert not parts[1] & parts[2]
    assert min(w for _, w in parts[2]) == 800


def test_held_out_blocks_warm_up_on_what_came_before(make_song):
    split = split_songs([make_song(n_windows=1000)], context=50, seed=0)
    block = split.test[0]
    assert (block.first_window, block.warm_up) == (750, 50)
    assert not block.scored[:50].any()
    assert block.scored[50:].all()


def test_five_songs_are_split_by_song(make_song):
    songs = [make_song(f"song {i}", 100, seed=i) for i in range(10)]
    split = split_songs(songs, context=20, seed=0)
    names = [{b.song for b in part} for part in (split.train, split.validation, split.test)]
    assert split.by == "song"
    assert [len(part) for part in names] == [7, 1, 2]
    assert len(set.union(*names)) == 10
    assert "held-out songs" in split.description


def test_split_follows_from_the_seed(make_song):
    songs = [make_song(f"song {i}", 100, seed=i) for i in range(10)]
    first, again = (split_songs(songs, context=20, seed=4) for _ in range(2))
    assert [b.song for b in first.test] == [b.song for b in again.test]


def test_tracks_of_different_length_are_refused():
    short, long = (
        LabelTrack(np.zeros(n, dtype=np.int64), *[np.zeros(n, dtype=np.float32)] * 2)
        for n in (3, 4)
    )
    with pytest.raises(ValueError, match="two or more tracks of equal length"):
        LabelledSong("x", {"a": short, "b": long})


def test_nothing_to_split_is_refused():
    with pytest.raises(ValueError, match="at least one song"):
        split_songs([], context=1, seed=0)
