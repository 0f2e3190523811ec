"""Many blocks at a time must be what one live performance is; and every figure what it says."""

import numpy as np
import pytest
import torch

from models.alphabet import SILENCE
from models.count_model import CountModel, LiveCounts
from models.count_tables import count_tables
from models.decision_model import HIDDEN
from models.decision_transformer import DecisionTransformer
from models.evaluation import foresee
from models.heard_history import HeardHistory, codes_of, with_history
from models.live_transformer import LiveTransformer
from models.paired_labels import Block
from models.regeneration import CountReader, Reading, answer_freely, read_blocks, sample
from models.regeneration_table import SystemFigures, measure_systems, wrong_guides
from models.sampling import draw_label, nucleus, nucleus_rows
from models.training_crops import own_past
from models.transformer_config import FORESEEN_WINDOWS, HISTORY_DIM, TransformerConfig

K, H = 6, 2
CONFIG = TransformerConfig(
    n_layers=2, n_heads=2, width=16, context=7, shift_input=True, counted=True, activity=True,
    history_windows=(2.0, 9.0),
)  # fmt: skip


def block(n, seed, song="s"):
    rng = np.random.default_rng(seed)
    fields = rng.normal([-30, 0], [10, 1], (n, 2)).astype(np.float32)
    heard = rng.integers(-1, K, n)
    answer = np.where(np.roll(heard, 1) < 0, SILENCE, (np.roll(heard, 1) + 1) % K)
    return Block(song, 0, 0, heard, fields, answer, fields)


@pytest.fixture
def blocks():
    return [block(n, seed, f"song {seed % 3}") for seed, n in enumerate((40, 25, 33, 40))]


@pytest.fixture
def network():
    net = DecisionTransformer(CONFIG, K, H)
    net.initialise(torch.Generator().manual_seed(0))
    codes = codes_of(np.random.default_rng(0).normal(size=(K, 18)))
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(6.0 if weight.ndim == 2 else 1.0)
        net.heard_table.normal_(generator=torch.Generator().manual_seed(1))
        net.own_table[:-1].normal_(generator=torch.Generator().manual_seed(2))
        net.codes.copy_(torch.from_numpy(codes))
    return net.requires_grad_(False)


def told_of(network, blocks):
    return with_history(blocks, network.codes.numpy(), CONFIG)


def live(network):
    return LiveTransformer(CONFIG, K, H, network.arrays())


@pytest.mark.parametrize("told", [False, True])
def test_readings_of_whole_blocks_are_those_of_a_live_performance(network, blocks, told):
    readings = read_blocks(network, told_of(network, blocks), told=told)
    for one, reading in zip(blocks, readings, strict=True):
        expected = foresee(live(network), one, 1.0 if told else 0.0)
        np.testing.assert_allclose(reading.labels[1:], expected.labels[1:, 0], atol=2e-4)
        np.testing.assert_allclose(reading.silence[1:], expected.silence[1:, 0], atol=2e-4)


def test_free_answers_are_those_of_a_live_performance(network, blocks):
    told = told_of(network, blocks)
    hidden = read_blocks(network, told)
    answers = answer_freely(network, told, hidden, own_past_weight=0.7, top_p=0.8, seed=None)
    for one, answer in zip(blocks, answers, strict=True):
        model = live(network)
        model.reset()
        own = HIDDEN
        for t in range(len(one.heard)):
            if t and one.answer[t] != SILENCE:
                expected = model.predict(0.7).log_probabilities[0].argmax()
                assert answer[t] == expected
            if t:
                own = int(answer[t])
            model.observe(int(one.heard[t]), own, *one.fields[t].tolist())
        assert ((answer == SILENCE) == (one.answer == SILENCE)).all()


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_reading_rests_on_the_windows_that_its_shift_allows(network, blocks, shift):
    before = read_blocks(network, told_of(network, blocks[:1]), shift, told=True)[0].labels
    blocks[0].heard[20] = (blocks[0].heard[20] + 1) % K
    after = read_blocks(network, told_of(network, blocks[:1]), shift, told=True)[0].labels
    assert np.flatnonzero((before != after).any(axis=1))[0] == 20 + shift
    blocks[0].answer[10] = (blocks[0].answer[10] + 1) % K
    told = read_blocks(network, told_of(network, blocks[:1]), shift, told=True)[0].labels
    assert np.flatnonzero((told != after).any(axis=1))[0] == 11


def test_own_past_of_every_shift():
    answer = np.arange(5)
    assert own_past(answer, 0).tolist() == [HIDDEN, 0, 1, 2, 3]
    assert own_past(answer, 1).tolist() == [0, 1, 2, 3, 4]
    assert own_past(answer, 2).tolist() == [1, 2, 3, 4, HIDDEN]


def test_nucleus_of_rows_is_the_nucleus_of_each_with_the_crossing_label():
    """Defect 1 of the public code: the label that crosses p was dropped."""
    chances = np.random.default_rng(0).dirichlet(np.ones(7) * 0.4, 50)
    rows = nucleus_rows(chances, 0.8)
    np.testing.assert_array_equal(rows, [nucleus(row, 0.8) for row in chances])
    assert (chances * rows).sum(axis=1).min() >= 0.8


def test_sampling_rows_is_drawing_labels_one_by_one():
    rng = np.random.default_rng(1)
    logs = np.log(rng.dirichlet(np.ones(K), 40)).astype(np.float32)
    noise = rng.gumbel(size=logs.shape)
    everything = np.ones(K, dtype=bool)
    drawn = sample(Reading(logs, np.zeros(40, np.float32)), noise, 0.8, everything)
    expected = [draw_label(a, 0.8, everything, b).label for a, b in zip(logs, noise, strict=True)]
    assert drawn.tolist() == expected


def test_constrained_sampling_leaves_the_nucleus_only_if_it_holds_nothing_wanted():
    logs = np.log(np.array([[0.6, 0.3, 0.05, 0.05]], dtype=np.float32))
    for wanted, expected in (([1], 1), ([3], 0)):
        held = np.isin(np.arange(4), wanted)
        assert sample(Reading(logs, logs[:, 0]), np.zeros((1, 4)), 0.8, held)[0] == expected


def test_count_readings_are_those_of_live_counts(blocks):
    counts = CountModel.fit([(b.heard, b.answer) for b in blocks], [], K, 1)
    reader = CountReader(counts.labels[0], counts.silence[0], K, 1, pairs=True)
    reading = reader.read(blocks[0].heard)
    expected = foresee(LiveCounts(counts), blocks[0], 0.0)
    np.testing.assert_allclose(reading.labels, expected.labels[:, 0], atol=1e-6)
    np.testing.assert_allclose(reading.silence, expected.silence[:, 0], atol=1e-6)


def test_count_tables_hold_every_lag_and_nothing_for_a_hidden_past():
    rng = np.random.default_rng(0)
    heard = rng.integers(0, K, 4000)
    one = Block("s", 0, 0, heard, np.zeros((4000, 2), np.float32), (np.roll(heard, 2) + 1) % K)
    tables = count_tables([one], [], K, H)
    assert tables.heard.shape == (K + 1, H + 2, K)
    best = tables.heard[:K].argmax(axis=2)
    assert (best[:, 2] == (np.arange(K) + 1) % K).all()
    assert tables.heard[:K, 2].max(axis=1).min() > np.log(0.9)
    assert np.exp(tables.heard[:K, 1]).max() < 0.4
    assert (tables.own[-1] == 0).all()


def test_running_means_forget_and_leave_silence_out():
    codes = np.eye(3, HISTORY_DIM, dtype=np.float32)
    history = HeardHistory(codes, (1.0, 1e9))
    rows = history.follow(np.array([0, 0, SILENCE, 1]))
    fast, slow = rows[:, HISTORY_DIM : 2 * HISTORY_DIM + 1], rows[:, 2 * HISTORY_DIM + 1 :]
    np.testing.assert_allclose(rows[3, :3], [0, 1, 0])
    np.testing.assert_allclose(slow[3, :3], [2 / 3, 1 / 3, 0], atol=1e-5)
    assert slow[3, -1] == pytest.approx(0.75)
    np.testing.assert_allclose(rows[2, :HISTORY_DIM], 0)
    np.testing.assert_allclose(fast[2, :3], [1, 0, 0], atol=1e-5)
    assert 0 < fast[3, 0] < fast[3, 1]


def test_a_phrase_that_comes_back_is_foreseen_by_how_it_went_on():
    codes = np.eye(8, HISTORY_DIM, dtype=np.float32)
    history = HeardHistory(codes, (1.0,), (4.0,))
    phrase = np.array([0, 1, 2, 0, 1, 3, 0, 4, 5])
    foreseen = history.follow(np.concatenate([phrase, phrase, phrase]))[:, -2 * HISTORY_DIM - 1 :]
    following = np.concatenate([phrase, phrase])[1:]
    for t in range(len(phrase) + 4, 2 * len(phrase) + 4):  # label 0 is followed by 1, by 4
        first, second = (
            foreseen[t, part * HISTORY_DIM :][:8].argmax() for part in range(FORESEEN_WINDOWS)
        )
        at = t % len(phrase)
        assert (first, second) == (following[at], following[at + 1])
    assert not foreseen[:2, :-1].any()
    assert foreseen[-1, -1] > foreseen[4, -1]


def test_a_track_followed_at_once_is_one_heard_window_by_window(monkeypatch):
    monkeypatch.setattr("models.heard_history._REMEMBERED", 90)  # less than the track
    codes = codes_of(np.random.default_rng(0).normal(size=(K, 18)))
    history = HeardHistory(codes, (3.0, 50.0), (2.0, 6.0))
    heard = block(200, 0).heard
    step_by_step = np.stack([history.hear(int(label)) for label in heard])
    np.testing.assert_allclose(history.follow(heard), step_by_step, rtol=1e-4, atol=1e-5)


def test_codes_keep_the_distances_between_centres():
    centres = np.random.default_rng(0).normal(size=(9, 5)) * 3 + 7
    codes = codes_of(centres)
    apart = np.linalg.norm(centres[:, None] - centres, axis=-1)
    kept = np.linalg.norm(codes[:, None] - codes, axis=-1)
    np.testing.assert_allclose(kept / kept[0, 1], apart / apart[0, 1], rtol=1e-4)


def test_figures_count_what_plays_and_never_a_shared_silence():
    one = block(40, 0)
    figures = SystemFigures()
    figures.add_answer(one, one.answer, 0.5)
    assert figures.hits["s"] == figures.n["s"] == one.scored_active.sum()
    mute = SystemFigures()
    mute.add_answer(one, np.full(40, SILENCE), 0.5)
    assert mute.hits["s"] == 0
    assert mute.as_json()["lcp"] == 0.0
    whole = SystemFigures()
    whole.add_answer(one, np.full(40, SILENCE), 0.5, all_windows=True)
    assert whole.hits["s"] == (one.answer[1:] == SILENCE).sum()
    assert whole.n["s"] == 39


def test_a_wrong_guide_is_another_songs(blocks):
    for one, wrong in zip(blocks, wrong_guides(blocks), strict=True):
        assert wrong.song == one.song
        np.testing.assert_array_equal(wrong.answer, one.answer)
        assert (wrong.heard != one.heard).any()


def test_each_answer_is_constrained_to_the_labels_of_its_own_track(network):
    """Not to those of all tracks: six labels by turns of two."""
    apart = []
    for number in range(3):
        one = block(60, number, f"song {number}")
        one.answer[:] = 2 * number + np.random.default_rng(number).integers(0, 2, 60)
        apart.append(one)
    counts = CountModel.fit([(b.heard, b.answer) for b in apart], [], K, 1)
    found = measure_systems(network, counts, apart, told_of(network, apart), 0.5, seed=0)
    constrained = found["constrained uniform"]
    assert 0.4 < sum(constrained.hits.values()) / sum(constrained.n.values()) < 0.6


def test_all_systems_are_measured_on_the_same_windows(network, blocks):
    counts = CountModel.fit([(b.heard, b.answer) for b in blocks], [], K, 1)
    found = measure_systems(network, counts, blocks, told_of(network, blocks), 0.5, seed=0)
    judged = {name: sum(one.n.values()) for name, one in found.items() if one.hits}
    active = sum(b.scored_active.sum() for b in blocks)
    everything = sum(b.scored.sum() for b in blocks)
    for name, n in judged.items():
        assert n == (everything if name.startswith("silence") else active)
    assert sum(found["truth"].hits.values()) == active
    tpp = {name: sum(one.hits.values()) / judged[name] for name, one in found.items() if one.hits}
    assert tpp["greedy p(y|x)"] > 0.9  # counted on these very blocks
    assert tpp["sampled uniform"] < 0.4
    again = measure_systems(network, counts, blocks, told_of(network, blocks), 0.5, seed=0)
    assert all(again[name].hits == found[name].hits for name in found)
