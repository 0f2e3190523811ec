import numpy as np
import pytest

from corpus.hidden_listener import HiddenListener
from corpus.program_attributes import PROGRAM_ATTRIBUTES, program_attributes
from corpus.simulated_audience import AudienceConfig, simulate_audience
from corpus.sonic_pi.unroller import Unroller

CONFIG = AudienceConfig(n_listeners=12, seed=3)
CATALOGUE = np.random.default_rng(0).normal(0, 0.7, size=(80, len(PROGRAM_ATTRIBUTES)))


def played(code, seconds=4.0):
    return dict(
        zip(
            PROGRAM_ATTRIBUTES,
            program_attributes(Unroller().unroll(code, seconds).events, seconds),
            strict=True,
        )
    )


@pytest.mark.parametrize("listener", [0, 5, 11])
def test_what_the_audience_thinks_of_a_known_song_is_thought_again(listener):
    hidden = HiddenListener(CATALOGUE, CONFIG, listener)
    expected = simulate_audience(CATALOGUE, CONFIG).taste[listener]
    np.testing.assert_allclose(hidden.taste(CATALOGUE[:9]), expected[:9], atol=1e-9)


def test_a_song_is_judged_alike_alone_and_in_company():
    hidden = HiddenListener(CATALOGUE, CONFIG, 2)
    new = np.random.default_rng(1).normal(0, 2, size=(20, CATALOGUE.shape[1]))
    together = hidden.taste(new)
    alone = [hidden.taste(row[None])[0] for row in new]
    np.testing.assert_allclose(together, alone, atol=1e-9)


def test_verdicts_follow_taste_but_for_noise():
    hidden = HiddenListener(CATALOGUE, CONFIG, 2)
    truth = hidden.taste(CATALOGUE)
    sure = hidden.verdicts(CATALOGUE, np.random.default_rng(0), noise=0.0)
    np.testing.assert_array_equal(sure, np.where(truth > 0, 1, -1))
    noisy = hidden.verdicts(CATALOGUE, np.random.default_rng(0), noise=1.0)
    assert 0.6 < np.mean(noisy == sure) < 1.0


def test_there_are_only_so_many_listeners():
    with pytest.raises(ValueError, match=r"listener must be in 0\.\.11, got 12"):
        HiddenListener(CATALOGUE, CONFIG, 12)


def test_attributes_say_what_a_program_plays():
    slow = played("live_loop :a do\n  play 48, release: 2\n  sleep 1\nend")
    fast = played("live_loop :a do\n  play 84, release: 0.1\n  sleep 0.125\nend")
    drums = played("live_loop :a do\n  sample :bd_haus\n  sleep 0.5\nend")
    chords = played("live_loop :a do\n  play_chord [60, 64, 67]\n  sleep 0.5\nend")
    assert fast["pace"] > slow["pace"]
    assert fast["height"] > slow["height"]
    assert slow["length"] > fast["length"]
    assert (drums["drums"], drums["soft"]) == (1.0, -1.0)
    assert chords["thickness"] > fast["thickness"]


def test_a_program_that_plays_nothing_has_attributes_of_zero():
    assert set(played("sleep 1").values()) == {0.0}
