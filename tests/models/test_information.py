import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.information import entropy_of_counts, mutual_information, shared_information


def draw(n_songs, n=400, k=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, k, n) for _ in range(n_songs)]


def test_entropy_by_hand():
    assert entropy_of_counts(np.array([1, 1, 2, 0])) == pytest.approx(1.5)
    assert entropy_of_counts(np.array([5])) == 0
    assert entropy_of_counts(np.zeros(3, np.int64)) == 0


def test_the_correction_brings_few_counts_nearer_to_the_entropy_they_come_from():
    rng = np.random.default_rng(0)
    plain, better = (
        np.mean(
            [
                entropy_of_counts(np.bincount(rng.integers(0, 16, 40)), corrected=corrected)
                for _ in range(200)
            ]
        )
        for corrected in (False, True)
    )
    assert plain < better < 4.05
    assert abs(better - 4) < 0.3 * abs(plain - 4)
    assert entropy_of_counts(np.array([2, 2]), corrected=True) == pytest.approx(
        1 + 1 / (8 * np.log(2))
    )


def test_mutual_information_by_hand():
    labels = np.array([0, 0, 1, 1])
    assert mutual_information(labels, labels) == pytest.approx(1.0)
    assert mutual_information(labels, np.array([0, 1, 0, 1])) == pytest.approx(0.0)
    assert mutual_information(labels[:0], labels[:0]) == 0


@given(st.integers(0, 1000), st.integers(2, 6))
def test_mutual_information_is_symmetric_and_at_most_either_entropy(seed, k):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, k, 200), rng.integers(0, 3, 200)
    there, back = mutual_information(x, y), mutual_information(y, x)
    assert there == pytest.approx(back)
    bound = min(entropy_of_counts(np.bincount(x)), entropy_of_counts(np.bincount(y)))
    assert 0 <= there <= bound + 1e-9


def test_labels_that_are_the_target_tell_all_of_it():
    labels = draw(6)
    found = shared_information(labels, [3 - one for one in labels])
    assert found.share == pytest.approx(1.0, abs=0.02)
    assert found.bits > 10 * found.error
    assert found.n_pairs == 2400


def test_unrelated_labels_tell_nothing_even_when_counts_are_few():
    found = shared_information(draw(8, 60, 16), draw(8, 60, 16, seed=1))
    assert found.right > 0.3
    assert abs(found.bits) < 3 * found.error + 0.02


def test_what_only_the_song_shares_with_itself_in_all_windows_counts_as_relation():
    rng = np.random.default_rng(0)
    homes = [rng.integers(0, 8) for _ in range(30)]
    labels = [np.full(50, home) for home in homes]
    assert shared_information(labels, labels).bits > 1.0


def test_silence_and_unknown_targets_do_not_count_and_lengths_may_differ():
    labels, targets = draw(4), draw(4)
    silenced = [np.where(np.arange(400) < 100, -1, one) for one in labels]
    found = shared_information(silenced, [one[:300] for one in targets])
    assert found.n_pairs == 4 * 200
    assert found.share == pytest.approx(1.0, abs=0.05)


def test_the_error_shrinks_with_more_songs():
    def noisy(n_songs):
        rng = np.random.default_rng(n_songs)
        x = draw(n_songs)
        return shared_information(x, [np.where(rng.random(400) < 0.5, one, 0) for one in x]).error

    assert noisy(80) < noisy(8)


def test_the_same_seed_gives_the_same_figure():
    assert shared_information(draw(5), draw(5, seed=2)) == shared_information(
        draw(5), draw(5, seed=2)
    )


def test_one_song_is_too_few():
    with pytest.raises(ValueError, match="two songs at least"):
        shared_information(draw(1), draw(1))
