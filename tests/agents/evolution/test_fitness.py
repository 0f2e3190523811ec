import numpy as np
import pytest
import torch

from agents.evolution.fitness import (
    WORST,
    Fitness,
    FitnessConfig,
    Target,
    music_target,
    user_target,
)
from agents.evolution.music_guard import MusicGuard
from agents.evolution.second_scorer import SecondScorer
from agents.evolution.song_space import PieceSpace
from corpus.song_features import SongDescriptors
from models.listener import Listener
from models.taste import AlignerV2, TasteConfig

RATE = 22_050
ENCODER = SongDescriptors()


def piece(seed, seconds=2.0):
    """A little tune of decaying tones with partials, of its own key, speed and brightness."""
    rng = np.random.default_rng(seed)
    step = int(RATE * rng.uniform(0.12, 0.4))
    t = np.arange(step) / RATE
    bright, root = rng.uniform(0.2, 0.8), int(rng.integers(48, 72))
    fades = np.minimum(1, np.minimum(t / 0.005, (t[-1] - t) / 0.02))
    notes = []
    while len(notes) * step < seconds * RATE:
        pitch = root + int(rng.choice([0, 2, 4, 5, 7, 9, 12]))
        hz = 440 * 2 ** ((pitch - 69) / 12)
        body = sum(bright**k * np.sin(2 * np.pi * hz * (k + 1) * t) for k in range(5))
        notes.append(0.2 * body * fades * np.exp(-rng.uniform(2, 8) * t))
    return np.concatenate(notes)[: int(seconds * RATE)].astype(np.float32)


@pytest.fixture(scope="module")
def real():
    return np.stack([ENCODER.encode(piece(seed)) for seed in range(40)])


@pytest.fixture(scope="module")
def aligner(real):
    config = TasteConfig(user_dim=4, hidden_dim=16, shared_dim=8, n_blocks=1)
    made = AlignerV2(config, 6, *real.shape[1:], seed=1)
    deviation = torch.from_numpy(real.std(axis=0))
    made.set_standard(torch.from_numpy(real.mean(axis=0)), deviation.clamp(min=1e-3))
    return made


@pytest.fixture(scope="module")
def guard(real):
    return MusicGuard(real)


@pytest.fixture
def fitness(aligner, guard):
    def make(target, second=None, space=aligner, **weights):
        return Fitness(ENCODER, space, target, guard, second, FitnessConfig(**weights))

    return make


def test_the_taste_of_a_clip_is_its_cosine_with_the_user(fitness, aligner, real):
    [judged] = fitness(user_target(aligner, 2)).judge([piece(0)], RATE)
    expected = aligner.scores(torch.from_numpy(real[:1]), torch.tensor([2]))[0, 0].item()
    assert judged.taste == pytest.approx(expected, abs=1e-5)
    assert judged.penalty == 0.0
    assert judged.fitness == pytest.approx(judged.taste - judged.suspicion.penalty)


def test_towards_a_piece_the_piece_itself_is_best(fitness, aligner, real):
    space = PieceSpace(aligner, real[3], real)
    judged = fitness(music_target(space), space=space).judge([piece(k) for k in range(8)], RATE)
    assert judged[3].taste == pytest.approx(1.0, abs=1e-5)
    assert max(judged, key=lambda one: one.taste) is judged[3]


def test_a_dynamic_target_moves_with_what_is_learned_of_the_listener(fitness, aligner, real):
    songs = aligner.embed_songs(torch.from_numpy(real)).numpy()
    listener = Listener(aligner, songs)
    judge = fitness(Target("dynamic", listener.embedding))
    [before] = judge.judge([piece(0)], RATE)
    listener.hear(songs[:1], [1])
    listener.fit()
    [after] = judge.judge([piece(0)], RATE)
    assert after.taste > before.taste + 0.01
    assert after.clip == before.clip


def test_faults_are_subtracted_never_added(fitness, aligner):
    """Equation 1 of the paper adds the penalty; what it means is the opposite."""
    clean = piece(1)
    offset = clean + np.float32(0.2)
    one, two = fitness(user_target(aligner, 0)).judge([clean, offset], RATE)
    assert two.penalty > 0
    assert two.fitness <= two.taste - 0.5 * two.penalty
    assert one.penalty == 0


def test_noise_that_the_scorer_loves_is_not_fit(fitness, aligner, real):
    """Defect 13: the highest published fitness was near noise; here the scorer is fooled fully."""
    noise = (0.1 * np.random.default_rng(0).normal(size=2 * RATE)).astype(np.float32)
    space = PieceSpace(aligner, ENCODER.encode(noise), real)
    beloved = fitness(music_target(space), space=space)
    fooled, honest = beloved.judge([noise, piece(5)], RATE)
    assert fooled.taste == pytest.approx(1.0, abs=1e-4)
    assert fooled.suspicion.distance > 1.5
    assert fooled.fitness < fooled.taste - 0.5
    assert honest.suspicion.penalty == 0.0


@pytest.mark.parametrize("gain", [1e-4, 0.0])
def test_a_clip_that_can_hardly_be_heard_is_never_worth_playing(fitness, aligner, gain):
    [judged] = fitness(user_target(aligner, 0)).judge([piece(2) * np.float32(gain)], RATE)
    assert judged.fitness < -0.3


def test_real_music_unheard_before_is_seldom_suspected(guard):
    distances = [guard.distance(ENCODER.encode(piece(seed))) for seed in range(100, 130)]
    assert np.mean(np.array(distances) < 1.3) >= 0.8


def test_a_generator_that_gives_nan_silence_or_nothing_stops_nothing(fitness, aligner):
    broken = [
        np.full(RATE, np.nan, np.float32),
        np.zeros(RATE, np.float32),
        np.zeros(0, np.float32),
        piece(0)[:200],
    ]
    *bad, good = fitness(user_target(aligner, 0)).judge([*broken, piece(0)], RATE)
    assert [one.fitness for one in bad] == [WORST] * 4
    assert "NaN" in bad[0].reason
    assert "silence or nothing" in bad[1].reason
    assert all(one.reason for one in bad)
    assert good.reason == ""
    assert good.fitness > WORST


def test_nothing_but_broken_clips_is_judged_too(fitness, aligner):
    judged = fitness(user_target(aligner, 0)).judge([np.zeros(0, np.float32)], RATE)
    assert judged[0].fitness == WORST


def test_what_is_judged_is_what_is_played(fitness, aligner):
    """Defect 7: fitness was taken on another clip than the one that played."""
    one, two, again = fitness(user_target(aligner, 0)).judge(
        [piece(1), piece(1) * np.float32(0.5), piece(1)], RATE
    )
    assert one.clip == again.clip != two.clip
    assert again.fitness == pytest.approx(one.fitness, abs=1e-5)


def test_clips_of_another_rate_are_heard_as_the_same_music(fitness, aligner):
    import soxr

    clip = piece(4)
    judge = fitness(user_target(aligner, 1))
    [low] = judge.judge([clip], RATE)
    [high] = judge.judge([soxr.resample(clip, RATE, 44_100)], 44_100)
    assert high.taste == pytest.approx(low.taste, abs=0.1)


def test_the_second_scorer_is_reported_and_changes_no_fitness(fitness, aligner, real):
    second = SecondScorer(real[:10], [1, -1] * 5)
    [with_second] = fitness(user_target(aligner, 0), second).judge([piece(0)], RATE)
    [without] = fitness(user_target(aligner, 0)).judge([piece(0)], RATE)
    assert with_second.second > 0
    assert without.second is None
    assert with_second.fitness == without.fitness


def test_the_second_scorer_learns_a_taste_and_ignores_what_is_unrated(real):
    bright = real[:, 0, 60]
    ratings = np.where(bright > np.median(bright), 1.0, -1.0)
    second = SecondScorer(real[:30], ratings[:30])
    scores = second.scores(real[30:])
    assert scores[ratings[30:] > 0].mean() > scores[ratings[30:] < 0].mean()
    unrated = np.concatenate([ratings[:30], np.zeros(10)])
    same = SecondScorer(real, unrated, real[:30]).scores(real[30:])
    np.testing.assert_allclose(same, scores, atol=1e-6)
    with pytest.raises(ValueError, match="needs 4 rated songs"):
        SecondScorer(real, np.zeros(40))


def test_a_user_who_is_not_in_the_table_is_refused(aligner):
    with pytest.raises(ValueError, match=r"user must be in 0\.\.5, got 6"):
        user_target(aligner, 6)


def test_a_guard_without_real_music_is_refused(real):
    with pytest.raises(ValueError, match="at least 20 finite real songs"):
        MusicGuard(real[:3])
