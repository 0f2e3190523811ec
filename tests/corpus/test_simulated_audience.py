import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.simulated_audience import AudienceConfig, simulate_audience
from models.metrics.ranking import evaluate_rows


@pytest.fixture(scope="module")
def attributes():
    rng = np.random.default_rng(0)
    return np.hstack([rng.uniform(-1, 1, (150, 5)), rng.choice([-1.0, 1.0], (150, 2))])


def test_the_same_seed_gives_the_same_audience_and_another_another(attributes):
    one, two = (simulate_audience(attributes, AudienceConfig(n_listeners=20)) for _ in range(2))
    other = simulate_audience(attributes, AudienceConfig(n_listeners=20, seed=1))
    np.testing.assert_array_equal(one.liked, two.liked)
    assert (one.liked != other.liked).any()


def test_a_taste_depends_on_attributes_alone_and_twins_are_liked_alike(attributes):
    twins = np.concatenate([attributes, attributes[:10]])
    audience = simulate_audience(twins, AudienceConfig(n_listeners=20))
    np.testing.assert_allclose(audience.taste[:, :10], audience.taste[:, 150:])


@settings(deadline=None, max_examples=10)
@given(st.floats(0.1, 0.6), st.floats(0.2, 0.9))
def test_shares_liked_and_heard_are_those_asked_for(liked, heard):
    rng = np.random.default_rng(1)
    config = AudienceConfig(n_listeners=60, liked_share=liked, heard_share=heard)
    audience = simulate_audience(rng.uniform(-1, 1, (200, 4)), config)
    assert audience.liked.mean() == pytest.approx(liked, abs=0.02)
    assert audience.heard.mean() == pytest.approx(heard, abs=0.05)


def test_noise_sets_the_ceiling_that_even_the_truth_can_reach(attributes):
    def ceiling(noise):
        config = AudienceConfig(n_listeners=40, verdict_noise=noise)
        audience = simulate_audience(attributes, config)
        return evaluate_rows(audience.leaning, audience.liked)["roc_auc"]

    assert ceiling(0.0) == pytest.approx(1.0)
    assert 0.9 < ceiling(0.5) < 0.98
    assert ceiling(2.0) < ceiling(0.5)


def test_popular_songs_are_heard_more_often(attributes):
    audience = simulate_audience(attributes, AudienceConfig(n_listeners=100))
    often = audience.heard.mean(axis=0)
    assert np.corrcoef(often, audience.popularity)[0, 1] > 0.7


def test_listeners_of_a_scene_are_nearer_to_each_other(attributes):
    audience = simulate_audience(attributes, AudienceConfig(n_listeners=80))
    alike = np.corrcoef(audience.taste)
    same = audience.scene[:, None] == audience.scene
    others = ~np.eye(80, dtype=bool)
    assert alike[same & others].mean() > alike[~same].mean() + 0.2


def test_only_what_is_heard_and_liked_shows_up_as_a_listen(attributes):
    audience = simulate_audience(attributes, AudienceConfig(n_listeners=10))
    listens = audience.listens()
    assert len(listens) == (audience.heard & audience.liked).sum()
    assert all(audience.heard[u, s] and audience.liked[u, s] for u, s in listens)


def test_a_table_that_is_none_is_refused():
    with pytest.raises(ValueError, match="finite table of at least 2 songs"):
        simulate_audience(np.full((5, 2), np.nan), AudienceConfig())
