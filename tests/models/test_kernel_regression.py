"""Kernel regression: what a line cannot follow."""

import numpy as np
import pytest

from models import kernel_regression
from models.kernel_regression import KernelRegression
from models.ridge import Ridge


def bent(n, seed):
    inputs = np.random.default_rng(seed).uniform(-2, 2, (n, 3)).astype(np.float32)
    targets = np.stack([np.abs(inputs[:, 0]) + inputs[:, 1], inputs[:, 0] * inputs[:, 2]], axis=1)
    return inputs, targets


def error(model, inputs, targets):
    return float(((model.predict(inputs) - targets) ** 2).mean() / targets.var(axis=0).mean())


def test_a_bent_surface_is_followed_where_a_line_fails():
    known, asked = bent(300, 0), bent(200, 1)
    assert error(KernelRegression.fit(*known), *asked) < 0.02
    assert error(Ridge.fit(*known, 1.0), *asked) > 0.3


def test_a_plane_is_followed_beyond_what_was_seen():
    inputs = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    plane = inputs @ np.float32([[1], [2], [-1], [0.5]]) + 3
    fitted = KernelRegression.fit(inputs, plane)
    far = 2 * inputs[:20]
    assert error(fitted, far, far @ np.float32([[1], [2], [-1], [0.5]]) + 3) < 0.02


def test_of_too_many_examples_some_are_drawn(monkeypatch):
    monkeypatch.setattr(kernel_regression, "MOST_EXAMPLES", 100)
    fitted = KernelRegression.fit(*bent(300, 0))
    assert fitted.examples.shape == (100, 3)
    again = KernelRegression.fit(*bent(300, 0))
    np.testing.assert_array_equal(fitted.weights, again.weights)


def test_too_few_examples_are_refused():
    with pytest.raises(ValueError, match="at least 8 inputs, with one target each, got 7 and 7"):
        KernelRegression.fit(*bent(7, 0))
