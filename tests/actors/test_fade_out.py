"""The fade at the end of the music."""

import numpy as np
import pytest

from actors.fade_out import FadeOut


def ones(n):
    return np.ones((n, 2), dtype=np.float32)


def test_nothing_changes_while_no_end_is_known():
    fade = FadeOut(100)
    assert np.array_equal(fade.faded(ones(500)), ones(500))


@pytest.mark.parametrize("block", [7, 64, 300])
def test_the_fade_ends_where_it_was_told_whatever_the_blocks(block):
    fade = FadeOut(100)
    fade.end_at(250)
    sound = np.concatenate([fade.faded(ones(block)) for _ in range(-(-600 // block))])[:, 0]
    assert (sound[:150] == 1).all()
    assert (np.diff(sound[150:250]) < 0).all()
    assert sound[249] < 0.001
    assert not sound[250:].any()


def test_an_order_to_end_fades_from_the_next_block_on():
    fade = FadeOut(100)
    fade.faded(ones(64))
    assert fade.begin() == 164
    sound = fade.faded(ones(200))[:, 0]
    assert sound[0] > 0.99
    assert not sound[100:].any()


def test_an_order_to_end_does_not_put_off_an_end_that_is_near():
    fade = FadeOut(100)
    fade.end_at(120)
    fade.faded(ones(64))
    assert fade.begin() == 120
