"""What is kept of estimates, and for how long."""

import sqlite3

import numpy as np
import pytest

from agents.code_ranking.estimate import Estimate
from agents.code_ranking.estimate_cache import EstimateCache, cache_key


class Listener:
    name = "heard"

    def __init__(self, key="4"):
        self.key = key


def estimate(value=1.0, tier="heard"):
    point = np.array([value, -value], dtype=np.float32)
    return Estimate(tier, point, 0.5, True, False, False, ("line 1: something",))


def same(one, other):
    np.testing.assert_array_equal(one.point, other.point)
    return (one.tier, one.coverage, one.is_trusted, one.faults) == (
        other.tier, other.coverage, other.is_trusted, other.faults
    )  # fmt: skip


def test_keys_differ_by_program_tier_and_settings():
    keys = {
        cache_key(Listener(), "play 60"),
        cache_key(Listener(), "play 61"),
        cache_key(Listener("5"), "play 60"),
        cache_key(Listener(), "play 60 \udcff"),
    }
    assert len(keys) == 4
    assert cache_key(Listener(), "play 60") in keys


def test_the_least_recently_used_is_dropped_first():
    cache = EstimateCache(most=2)
    cache.put("a", estimate())
    cache.put("b", estimate())
    cache.get("a")
    cache.put("c", estimate())
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert len(cache) == 2


def test_a_file_gives_back_what_was_put_in(tmp_path):
    path = tmp_path / "below" / "estimates.sqlite"
    first = EstimateCache(path)
    first.put("a", estimate(3.0))
    first.close()
    assert same(EstimateCache(path).get("a"), estimate(3.0))


def test_a_file_is_bounded_too(tmp_path):
    path = tmp_path / "estimates.sqlite"
    cache = EstimateCache(path, most=3)
    for key in "abcdef":
        cache.put(key, estimate())
    cache.close()
    with sqlite3.connect(path) as file:
        assert file.execute("select count(*) from estimates").fetchone() == (3,)


def test_what_a_file_spoiled_is_found_out_again(tmp_path):
    path = tmp_path / "estimates.sqlite"
    cache = EstimateCache(path)
    cache.put("a", estimate())
    cache.put("b", estimate())
    cache.close()
    with sqlite3.connect(path) as file:
        file.execute("update estimates set point = ? where key = 'a'", (b"xyz",))
        file.execute("update estimates set faults = 'no list' where key = 'b'")
    again = EstimateCache(path)
    assert again.get("a") is None
    assert again.get("b") is None


@pytest.mark.parametrize("contents", [b"no database at all, but long enough to be looked at" * 30])
def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path, contents):
    path = tmp_path / "song.wav"
    path.write_bytes(contents)
    with pytest.raises(OSError, match="must be a cache of estimates"):
        EstimateCache(path)
    assert path.read_bytes() == contents


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(OSError, match="must be a cache"):
        EstimateCache(tmp_path)


def test_nothing_to_keep_is_refused():
    with pytest.raises(ValueError, match="most must be at least 1"):
        EstimateCache(most=0)
