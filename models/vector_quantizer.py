"""The codebook: K centres, and to which of them a window belongs."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Codebook"]

ROWS_AT_ONCE = 4096


class Codebook:
    """A k-means alphabet: class k is everything nearest to centre k (Euclidean).

    Args:
        centres: shape (K, D), finite, K ≥ 1, D ≥ 1; kept as a read-only float32 copy.

    Raises:
        ValueError: wrong shape, or a number that is not finite.
    """

    def __init__(self, centres: ArrayLike) -> None:
        array = np.array(centres, dtype=np.float32, order="C")
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"centres must have shape (K ≥ 1, D ≥ 1), got {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError("centres must be finite, got NaN or infinity; fit the codebook again")
        array.flags.writeable = False
        self._centres = array

    @property
    def centres(self) -> NDArray[np.float32]:
        """The centres, shape (K, D), float32, read-only."""
        return self._centres

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self._centres)

    @property
    def feature_dim(self) -> int:
        """D."""
        return int(self._centres.shape[1])

    def assign(
        self, features: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The nearest centre of each row; the lower class id on a tie.

        A row's answer does not depend on the rows beside it, to the last bit.

        Args:
            features: shape (N, D).

        Returns:
            Labels (N,) int64 in 0..K-1, and distances to their centres (N,) float32, ≥ 0.

        Raises:
            ValueError: `features` is not of shape (N, D).
        """
        if features.ndim != 2 or features.shape[1] != self.feature_dim:
            raise ValueError(
                f"features must have shape (N, {self.feature_dim}), got {features.shape}; "
                "the codebook belongs to another encoder"
            )
        labels = np.empty(len(features), dtype=np.int64)
        distances = np.empty(len(features), dtype=np.float32)
        for start in range(0, len(features), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            squared = _squared_distances(features[rows], self._centres)
            labels[rows] = squared.argmin(axis=1)
            distances[rows] = np.sqrt(squared.min(axis=1))
        return labels, distances

    def distances_between(self) -> NDArray[np.float32]:
        """Euclidean distances between the centres, shape (K, K), symmetric, zero diagonal."""
        return np.sqrt(_squared_distances(self._centres, self._centres))

    @classmethod
    def fit(cls, features: NDArray[np.float32], n_classes: int, seed: int) -> "Codebook":
        """Find `n_classes` centres by k-means; the same input gives the same codebook.

        Centres are ordered by their coordinates, the first feature first.

        Args:
            features: condensed windows that are *not* silent, shape (N, D), finite.
            n_classes: K, ≥ 1.
            seed: of the initialisation, ≥ 0.

        Raises:
            ValueError: features not finite or of a wrong shape, or fewer distinct rows than K.
        """
        if n_classes < 1:
            raise ValueError(f"n_classes must be at least 1, got {n_classes}")
        if features.ndim != 2 or not np.isfinite(features).all():
            raise ValueError(f"features must be finite, of shape (N, D), got {features.shape}")
        n_distinct = len(np.unique(features, axis=0))
        if n_distinct < n_classes:
            raise ValueError(
                f"an alphabet of {n_classes} classes needs at least as many distinct sounding "
                f"windows, got {n_distinct}; give more audio or a smaller alphabet"
            )
        # Imported here: the live path only assigns and need not wait for scikit-learn.
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # threads add up in any order: other bytes each time
            means = KMeans(n_classes, n_init=4, random_state=seed).fit(features.astype(np.float64))
        centres = means.cluster_centers_.astype(np.float32)
        return cls(centres[np.lexsort(centres.T[::-1])])


def _squared_distances(
    rows: NDArray[np.float32], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Squared Euclidean distances, shape (N, K), one feature at a time: no BLAS, no (N, K, D)."""
    total = np.zeros((len(rows), len(centres)), dtype=np.float32)
    for row_feature, centre_feature in zip(rows.T, centres.T, strict=True):
        total += np.square(row_feature[:, None] - centre_feature, dtype=np.float32)
    return total
