import numpy as np
import pytest

from models.alphabet import SILENCE
from models.alphabet_card import CardPart, CardSong, measure_card

K, N = 8, 200


def part(labels, rng, *, instrument=-1, twin=None):
    return CardPart(labels, rng.normal(-30, 6, len(labels)).astype(np.float32), instrument, twin)


def song(index, kind):
    """Two parts over a drawn chord row; `kind` says what the labels name."""
    rng = np.random.default_rng([index, 7])
    chords = rng.integers(0, K, N // 4).repeat(4)
    programs = rng.integers(0, 4, 2)
    if kind == "harmony":
        labels = [chords, (chords + 3) % K]
        twins = [chords, (chords + 3) % K]
    elif kind == "instrument":
        labels = [np.full(N, p) for p in programs]
        twins = [np.full(N, (p + 1) % 4) for p in programs]
    else:
        labels = [rng.integers(0, K, N) for _ in range(2)]
        twins = [rng.integers(0, K, N) for _ in range(2)]
    parts = {
        name: part(one, rng, instrument=int(program), twin=twin)
        for name, one, program, twin in zip(("a", "b"), labels, programs, twins, strict=True)
    }
    return CardSong(f"song {index}", parts, [("a", "b")], chords)


def card(kind, n_songs=12):
    return measure_card([song(i, kind) for i in range(n_songs)], K, 0.5)


def test_labels_that_name_the_chord_have_relation_and_agreement_and_no_instrument():
    found = card("harmony")
    assert found.relation["a – b"].bits > 2.5
    assert found.chord["a"].share > 0.9
    assert abs(found.instrument["all"].share) < 0.15
    assert found.agreement["a"].share == 1.0
    assert found.agreement["a"].chance < 0.2


def test_labels_that_name_the_instrument_have_no_relation_and_no_agreement():
    found = card("instrument", 40)
    assert found.instrument["all"].share > 0.9
    assert found.agreement["all"].share == 0.0
    assert found.chord["all"].share < 0.05
    assert found.relation["a – b"].bits < 0.3


def test_labels_drawn_at_random_mean_nothing():
    found = card("noise")
    for one in (found.relation["all"], found.chord["all"], found.energy["all"]):
        assert abs(one.bits) < 3 * one.error + 0.02


def test_a_wrong_pairing_never_uses_another_part_of_the_same_song():
    rng = np.random.default_rng(0)
    songs = []
    for i in range(4):
        rows = rng.integers(0, K, N)
        names = [f"p{j}" for j in range(4)]
        pairs = [(a, b) for j, a in enumerate(names) for b in names[j + 1 :]]
        songs.append(CardSong(f"{i}", {n: part(rows, rng) for n in names}, pairs))
    found = measure_card(songs, K, 0.5).relation["all"]
    assert found.wrong < 0.5
    assert found.bits > 2.0


def test_energy_is_explained_by_labels_that_follow_the_level():
    songs = []
    for i in range(6):
        rng = np.random.default_rng(i)
        level = rng.uniform(-40, -10, N).astype(np.float32)
        labels = np.digitize(level, [-32.5, -25, -17.5]).astype(np.int64)
        songs.append(
            CardSong(f"{i}", {"a": CardPart(labels, level), "b": CardPart(labels, level)}, [])
        )
    assert measure_card(songs, K, 0.5).energy["all"].share > 0.6


def test_balance_and_runs_by_hand():
    labels = np.array([0, 0, 0, SILENCE, 1, 1, SILENCE, 2, 0, 0])
    rng = np.random.default_rng(0)
    songs = [CardSong(f"{i}", {"a": part(labels, rng)}, []) for i in range(2)]
    balance = measure_card(songs, K, 0.5).balance
    assert balance.shares[:3] == pytest.approx((5 / 8, 2 / 8, 1 / 8))
    assert balance.n_unused == 5
    assert balance.mean_run == 2.0
    assert balance.runs[:3] == pytest.approx((1 / 4, 2 / 4, 1 / 4))
    assert balance.silent == pytest.approx(0.2)
    assert balance.perplexity == pytest.approx(2 ** (5 / 8 * np.log2(8 / 5) + 2 / 8 * 2 + 3 / 8))


def test_a_name_gets_its_own_figures_if_half_of_the_songs_have_it():
    songs = [song(i, "harmony") for i in range(4)]
    rng = np.random.default_rng(0)
    songs[0] = CardSong("x", {**songs[0].parts, "solo": part(np.zeros(N, np.int64), rng)}, [])
    assert set(measure_card(songs, K, 0.5).chord) == {"all", "a", "b"}


def test_without_chords_and_twins_these_figures_are_left_out():
    rng = np.random.default_rng(0)
    songs = [
        CardSong(f"{i}", {n: part(rng.integers(0, K, N), rng) for n in "ab"}, [("a", "b")])
        for i in range(3)
    ]
    found = measure_card(songs, K, 0.5)
    assert (found.chord, found.agreement, found.instrument) == ({}, {}, {})
    assert set(found.relation) == {"all", "a – b"}


def test_a_card_of_one_song_is_refused():
    with pytest.raises(ValueError, match="two songs at least"):
        measure_card([song(0, "harmony")], K, 0.5)
