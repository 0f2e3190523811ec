"""What a table says of who is better: the sign, the baseline and the size of every gain."""

import numpy as np
import pytest

from launch import paired_tracks_paper
from launch.paired_tracks_summary import BASELINES, summarise
from models.regeneration_table import SystemFigures

SONGS, WINDOWS = 4, 100
HITS = {"uniform": 10, "unigram": 15, "majority": 15, "copy the guide": 5, "p(y|x)": 20,
        "p(y|x₋,x)": 25, "ours": 40, "ours, own past": 35, "ours, wrong song": 12}  # fmt: skip
BITS = {"uniform": 3.0, "unigram": 2.5, "p(y|x)": 2.0, "p(y|x₋,x)": 1.75, "ours": 1.25,
        "ours, wrong song": 2.25}  # fmt: skip


def system(name, n=WINDOWS):
    """Figures of one system, alike in every song."""
    hits = HITS[name]
    return {
        "n": [n] * SONGS, "hits": [hits] * SONGS, "tpp": [float(hits)] * SONGS,
        "entropy": [2.0] * SONGS, "run": [1.5] * SONGS, "lcp": 1.0,
        **({"bits": [BITS[name] * n] * SONGS} if name in BITS else {}),
    }  # fmt: skip


@pytest.fixture
def cell():
    songs = [f"{place}/{i}" for place in ("pop", "folk") for i in range(SONGS // 2)]
    names = {
        f"{how} {name}"
        for how, baselines in BASELINES.items()
        for name in (*baselines, "ours", "ours, own past")
    }
    systems = {name: system(name.split(" ", 1)[1]) for name in names}
    systems["sampled ours, wrong song"] = system("ours, wrong song")
    return {
        "configuration": "0.5s_A8", "window_seconds": 0.5, "alphabet": 8, "seed": 0,
        "train_songs": 9, "songs": songs, "sequence_songs": songs, "training": {},
        "systems": systems,
    }  # fmt: skip


def test_bits_saved_and_labels_hit_more_often_are_gains(cell):
    gains = summarise([cell])["gains"]
    assert gains["bits"] == {"over": "sampled p(y|x₋,x)", "mean": 0.5, "low": 0.5, "high": 0.5}
    assert gains["bits, wrong song"]["mean"] == 1.0
    for how in BASELINES:
        found = gains[f"TPP, {how} ours"]
        assert (found["over"], found["mean"]) == (f"{how} p(y|x₋,x)", 15.0)
        assert gains[f"TPP, {how} ours, own past"]["mean"] == 10.0


def test_a_system_that_is_worse_has_a_loss(cell):
    for name, figures in cell["systems"].items():
        if name.endswith("ours"):
            figures["hits"] = [5] * SONGS
            if "bits" in figures:
                figures["bits"] = [4.0 * WINDOWS] * SONGS
    gains = summarise([cell])["gains"]
    assert gains["bits"]["high"] == -2.25
    assert gains["TPP, sampled ours"]["high"] == -20.0


def test_one_collection_is_judged_by_its_own_songs_and_says_nothing_of_lcp(cell):
    cell["systems"]["sampled ours"]["hits"] = [40, 40, 80, 80]
    assert summarise([cell], "folk")["tpp"]["sampled ours"] == 80.0
    assert summarise([cell])["lcp"]["sampled ours"] == 1.0
    assert "lcp" not in summarise([cell], "folk")


def test_ours_over_the_paper_is_a_gain_where_ours_hits_more_often():
    figures = {
        name: SystemFigures(
            hits=dict.fromkeys("ab", hits), n=dict.fromkeys("ab", WINDOWS), entropy=[1.0], run=[1.0]
        )
        for name, hits in (
            ("truth", 100.0), ("sampled paper", 10.0), ("greedy paper", 50.0),
            ("sampled ours", 30.0), ("sampled ours, own past", 25.0), ("greedy ours", 20.0),
        )
    }  # fmt: skip
    gains = paired_tracks_paper._compared(figures)["gains"]
    assert np.ravel(list(gains.values())).tolist() == [15.0] * 3 + [20.0] * 3 + [-30.0] * 3
    assert list(gains) == [
        "sampled ours, own past over sampled paper",
        "sampled ours over sampled paper",
        "greedy ours over greedy paper",
    ]
