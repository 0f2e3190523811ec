import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vector_quantizer import Codebook


def points(n: int, dim: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def test_each_row_goes_to_its_nearest_centre():
    book = Codebook([[0.0, 0.0], [10.0, 0.0]])
    labels, distances = book.assign(np.array([[1, 0], [9, 0], [10, 3]], dtype=np.float32))
    assert labels.tolist() == [0, 1, 1]
    assert distances.tolist() == [1.0, 1.0, 3.0]


def test_a_tie_goes_to_the_lower_class():
    labels, _ = Codebook([[-1.0], [1.0]]).assign(np.zeros((1, 1), np.float32))
    assert labels.tolist() == [0]


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 2**31))
def test_a_row_alone_and_among_others_gets_the_same_bits(n, k, seed):
    book, rows = Codebook(points(k, 18, seed)), points(n, 18, seed + 1)
    labels, distances = book.assign(rows)
    alone = [book.assign(row[None, :]) for row in rows]
    assert labels.tolist() == [int(one[0][0]) for one in alone]
    assert distances.tobytes() == np.concatenate([one[1] for one in alone]).tobytes()


def test_no_rows_give_no_labels():
    labels, distances = Codebook([[0.0]]).assign(np.zeros((0, 1), np.float32))
    assert labels.shape == distances.shape == (0,)


def test_distances_between_centres_are_a_symmetric_matrix_with_zero_diagonal():
    between = Codebook([[0.0, 0.0], [3.0, 4.0]]).distances_between()
    assert between.tolist() == [[0.0, 5.0], [5.0, 0.0]]


def test_fit_finds_well_separated_groups():
    groups = np.concatenate([points(50) * 0.01 + 5 * k for k in range(4)])
    labels, distances = Codebook.fit(groups, 4, seed=1).assign(groups)
    assert labels.tolist() == [k for k in range(4) for _ in range(50)]
    assert distances.max() < 0.1


def test_the_same_features_and_seed_give_the_same_bytes():
    first, second = (Codebook.fit(points(300, 18), 16, seed=5) for _ in range(2))
    assert first.centres.tobytes() == second.centres.tobytes()


def test_more_classes_than_distinct_windows_are_refused():
    few = np.repeat(points(3), 10, axis=0)
    with pytest.raises(ValueError, match=r"alphabet of 4 classes.*got 3; give more audio"):
        Codebook.fit(few, 4, seed=0)


def test_as_many_classes_as_distinct_windows_are_enough():
    few = np.repeat(points(3), 10, axis=0)
    assert Codebook.fit(few, 3, seed=0).n_classes == 3


def test_a_codebook_survives_as_a_plain_array():
    book = Codebook.fit(points(100), 8, seed=0)
    again = Codebook(book.centres)
    assert (
        again.assign(points(20, seed=3))[0].tolist() == book.assign(points(20, seed=3))[0].tolist()
    )


def test_centres_cannot_be_changed_from_outside():
    centres = np.zeros((2, 2), np.float32)
    book = Codebook(centres)
    centres[0, 0] = 9.0
    assert book.centres[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        book.centres[0, 0] = 1.0


@pytest.mark.parametrize(
    ("centres", "message"),
    [
        (np.zeros((0, 3)), "shape"),
        (np.zeros((3, 0)), "shape"),
        (np.zeros(3), "shape"),
        ([[np.nan]], "finite"),
    ],
)
def test_malformed_centres_are_refused(centres, message):
    with pytest.raises(ValueError, match=message):
        Codebook(centres)


def test_features_of_another_encoder_are_refused():
    with pytest.raises(ValueError, match=r"shape \(N, 2\), got \(1, 3\)"):
        Codebook(np.zeros((1, 2))).assign(np.zeros((1, 3), np.float32))


@pytest.mark.parametrize("features", [np.full((4, 2), np.nan, np.float32), np.zeros(4, np.float32)])
def test_fitting_malformed_features_is_refused(features):
    with pytest.raises(ValueError, match="features must be finite"):
        Codebook.fit(features, 1, seed=0)


def test_an_alphabet_without_classes_is_refused():
    with pytest.raises(ValueError, match="n_classes must be at least 1, got 0"):
        Codebook.fit(points(4), 0, seed=0)
