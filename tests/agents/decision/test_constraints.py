"""The mask of labels that the memory can play."""

import pytest

from agents.decision.constraints import playable_mask
from models.alphabet import SILENCE


def test_only_labels_of_the_memory_are_in_the_mask():
    assert playable_mask({0, 3, SILENCE}, 5).tolist() == [True, False, False, True, False]


def test_label_of_another_codebook_is_refused():
    with pytest.raises(ValueError, match=r"playable labels must lie in 0..4, got 5"):
        playable_mask({5}, 5)
