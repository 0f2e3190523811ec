"""The score: what passes from an untrusted recording to scsynth, and how it is written."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sonic_pi.score import ScoreError, checked, score

SOUNDS = (Path("/sounds"),)


@pytest.fixture
def synthdefs(tmp_path: Path) -> Path:
    (tmp_path / "sonic-pi-beep.scsyndef").write_bytes(b"SCgf")
    return tmp_path


def bundles(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        (length,) = struct.unpack(">i", data[:4])
        bundle, data = data[4 : 4 + length], data[4 + length :]
        assert bundle[:8] == b"#bundle\0"
        found.append((struct.unpack(">Q", bundle[8:16])[0], bundle[20:]))
    return found


def test_a_note_becomes_one_bundle_at_its_time(synthdefs: Path):
    note = [500_000_000, "/s_new", "sonic-pi-beep", 10, 1, 8, "note", 60.0]

    load, played, end = bundles(score([note], synthdefs, 2.0))

    assert load[1].startswith(b"/d_load\0,s\0\0")
    assert played[0] == 2**31
    assert played[1] == (
        b"/s_new\0\0,siiisf\0sonic-pi-beep\0\0\0"
        + struct.pack(">iii", 10, 1, 8)
        + b"note\0\0\0\0"
        + struct.pack(">f", 60.0)
    )
    assert end[0] == 2 * 2**32


def test_messages_are_ordered_by_time_and_those_of_one_time_as_sent(synthdefs: Path):
    messages = [[2, "/n_free", 1], [1, "/n_free", 2], [1, "/n_free", 3]]

    ids = [body[-4:] for _, body in bundles(score(messages, synthdefs, 1.0))[:-1]]

    assert [struct.unpack(">i", one)[0] for one in ids] == [2, 3, 1]


def test_messages_at_or_after_the_end_are_left_out(synthdefs: Path):
    assert len(bundles(score([[10**9, "/n_free", 1]], synthdefs, 1.0))) == 1


def test_a_synth_definition_that_is_not_there_is_named(synthdefs: Path):
    with pytest.raises(ScoreError, match="sonic-pi-nothing"):
        score([[0, "/s_new", "sonic-pi-nothing", 1, 0, 0]], synthdefs, 1.0)


def test_numbers_too_large_for_a_float_become_infinite(synthdefs: Path):
    body = bundles(score([[0, "/n_set", 1, "amp", 1e300]], synthdefs, 1.0))[0][1]

    assert struct.unpack(">f", body[-4:])[0] == float("inf")


def test_bookkeeping_and_silent_helpers_are_left_out():
    messages = [
        [0, "/notify", 1],
        [0, "/b_write", 1, "/etc/passwd", "wav", "int16", -1, 0, 0],
        [0, "/s_new", "sonic-pi-scope", 7, 0, 5],
    ]
    assert checked(messages, SOUNDS) == []


@pytest.mark.parametrize(
    "message",
    [
        "text",
        [],
        [0],
        [0.5, "/n_free", 1],
        [-1, "/n_free", 1],
        [0, "/n_free", "1"],
        [0, "/n_free", True],
        [0, "/n_free", 2**31],
        [0, "/n_free"],
        [0, "/n_set", 1, "amp"],
        [0, "/n_set", 1, "am\0p", 1.0],
        [0, "/n_set", 1, "amp", [1]],
        [0, "/s_new", "other", 1, 0, 0],
        [0, "/s_new", "sonic-pi-/../x", 1, 0, 0],
        [0, "/b_allocRead", 1, "/etc/passwd", 0, 0],
        [0, "/b_allocRead", 1, "/sounds/../etc/passwd", 0, 0],
        [0, "/b_allocRead", 1, "sounds/x.flac", 0, 0],
    ],
)
def test_a_message_that_no_honest_run_sends_is_refused(message: object):
    with pytest.raises(ScoreError):
        checked([message], SOUNDS)


def test_a_sound_file_inside_the_folders_passes():
    message = [0, "/b_allocRead", 1, "/sounds/bd_haus.flac", 0, 0]

    assert checked([message], SOUNDS) == [message]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)
addresses = st.sampled_from(["/s_new", "/n_set", "/b_allocRead", "/b_alloc", "/c_set", "/quit"])


@given(st.tuples(st.integers(), addresses, st.lists(json_values, max_size=6)))
def test_whatever_comes_is_either_refused_or_can_be_written(row: tuple[int, str, list[object]]):
    time, address, arguments = row
    try:
        messages = checked([[time, address, *arguments]], SOUNDS)
    except ScoreError:
        return
    played = [message for message in messages if message[1] != "/s_new"]
    assert bundles(score(played, Path("/nonexistent"), 3.0))
