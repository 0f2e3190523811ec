import numpy as np
import pytest

from models.condenser import condense

FRAMES = np.array([[1, 8], [3, 0]], dtype=np.float32)


def test_the_mean_of_the_frames_is_the_default():
    assert condense(FRAMES).tolist() == [2.0, 4.0]


def test_the_maximum_is_taken_per_feature():
    assert condense(FRAMES, "max").tolist() == [3.0, 8.0]


@pytest.mark.parametrize("condenser", ["mean", "max"])
def test_float32_stays_float32(condenser):
    assert condense(FRAMES, condenser).dtype == np.float32


@pytest.mark.parametrize("frames", [np.zeros((0, 2), np.float32), np.zeros(2, np.float32)])
def test_no_frames_are_refused(frames):
    with pytest.raises(ValueError, match="frames must have shape"):
        condense(frames)


def test_an_unknown_condenser_is_refused():
    with pytest.raises(ValueError, match="must be 'mean' or 'max', got 'median'"):
        condense(FRAMES, "median")
