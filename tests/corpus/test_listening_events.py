import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.listening_events import (
    Listen,
    Partitions,
    count_listens,
    read_listens,
    split_listens,
    write_listens,
)

TRACK = "f1b1cf71-bd35-4e99-8624-24a6e15f133a"
LINES = (
    f"user_000001\t2009-05-04T23:08:57Z\t\tDeep Dish\t{TRACK}\tIbiza\n"
    "user_000001\t2009-05-04T13:54:10Z\t\tBjörk\t\tJóga (Live)\n"
    "user_000002\t2009-05-04T13:52:04Z\t\tBjörk\t\tJóga (Live)\n"
    "user_000002\t2009-05-04T13:42:52Z\t\tNobody\t\tKnows\n"
    "half a line\n"
    "\n"
)


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "listens.tsv"
    path.write_text(LINES, encoding="utf-8")
    return count_listens(read_listens(path), [TRACK, "folder/bjork - joga live"])


def test_listens_are_matched_to_audio_by_track_id_or_by_artist_and_track(events):
    assert events.users == ("user_000001", "user_000002")
    np.testing.assert_array_equal(events.plays, [[1, 1], [0, 1]])


def test_what_cannot_be_read_or_has_no_audio_is_counted(events):
    assert events.n_malformed == 1
    assert events.n_without_audio == 1


def test_a_file_that_names_no_song_of_the_folder_is_refused():
    with pytest.raises(ValueError, match="none of 1 listens does"):
        count_listens([Listen("u", "", "A", "B")], ["C - D"])
    with pytest.raises(ValueError, match="names of their own"):
        count_listens([], ["a/One", "b/one"])


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ValueError, match="must be a listening file"):
        list(read_listens(tmp_path / "none.tsv"))


def test_written_listens_are_read_back(tmp_path):
    write_listens(tmp_path / "l.tsv", {("u1", "song 0"): 2, ("u2", "song 1"): 1500})
    events = count_listens(read_listens(tmp_path / "l.tsv"), ["song 0", "song 1"])
    np.testing.assert_array_equal(events.plays, [[2, 0], [0, 1500]])
    assert events.n_malformed == 0


@given(st.integers(1, 60), st.integers(3, 80), st.integers(0, 9))
def test_every_song_and_user_is_in_exactly_one_partition(n_users, n_songs, seed):
    parts = split_listens(n_users, n_songs, seed=seed)
    songs = np.concatenate([parts.train, parts.validation, parts.test])
    np.testing.assert_array_equal(np.sort(songs), np.arange(n_songs))
    users = np.concatenate([parts.known, parts.unseen])
    np.testing.assert_array_equal(np.sort(users), np.arange(n_users))
    assert len(parts.validation)
    assert len(parts.test)
    assert len(parts.known)


def test_nothing_can_be_evaluated_on_the_train_partition():
    """Defect 10: the test evaluation read the train partition."""
    parts = split_listens(10, 20)
    np.testing.assert_array_equal(parts.songs_to_evaluate("test"), parts.test)
    with pytest.raises(ValueError, match="validation or test songs, got 'train'"):
        parts.songs_to_evaluate("train")


def test_partitions_that_share_a_song_are_refused():
    some, none = np.arange(3), np.arange(0)
    with pytest.raises(ValueError, match="one partition only"):
        Partitions(some, none, some, some, none)


def test_too_little_to_split_is_refused():
    with pytest.raises(ValueError, match="at least 3 songs"):
        split_listens(5, 2)
    with pytest.raises(ValueError, match="leave a rest"):
        split_listens(5, 20, test_share=0.95)
