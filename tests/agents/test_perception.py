import numpy as np
import pytest

from agents.messages import SILENCE, AudioIn, HeardLabel, Tick
from agents.musical_time import TempoMap
from agents.perception.agent import PerceptionAgent, PerceptionConfig, build
from models.ear import EarConfig, build_ear
from models.energy_gate import EnergyGateConfig
from models.key import KeyConfig, RunningKey
from models.labeller import Labeller
from models.vector_quantizer import Codebook

RATE = 8000
WINDOW = 0.25
N = 2000
NOW = TempoMap().moment(0, 0.0)


def labeller() -> Labeller:
    centres = np.random.default_rng(0).normal(size=(8, 18))
    return Labeller(build_ear(EarConfig(), RATE, WINDOW), Codebook(centres))


def keyed_labeller() -> Labeller:
    plain = labeller()
    return Labeller(plain.ear, plain.codebook, RunningKey(KeyConfig(changes_per_minute=6), WINDOW))


def sound(n_windows: int, seed: int = 0) -> np.ndarray:
    """One random note a window, mono."""
    rng = np.random.default_rng(seed)
    t = np.arange(N) / RATE
    notes = 440.0 * 2 ** (rng.integers(-12, 12, n_windows) / 12)
    return np.concatenate([0.2 * np.sin(2 * np.pi * hz * t) for hz in notes]).astype(np.float32)


def audio_in(samples: np.ndarray, windows: list[int], channels: int = 1) -> list[AudioIn]:
    return [
        AudioIn(k, np.repeat(samples[k * N : (k + 1) * N, None], channels, axis=1)) for k in windows
    ]


def test_every_window_gets_the_label_that_the_labeller_gives_offline():
    samples = sound(20)
    want = labeller().label_track(samples, np.arange(21) * N)
    agent = PerceptionAgent(labeller())
    got = [agent.step(NOW, [message])[0] for message in audio_in(samples, list(range(20)))]
    assert [label.window for label in got] == list(range(20))
    assert [label.label for label in got] == want.labels.tolist()
    assert len({label.label for label in got}) > 1


def test_a_late_agent_answers_all_windows_oldest_first_whatever_their_order():
    samples = sound(4)
    in_time, late = PerceptionAgent(labeller()), PerceptionAgent(labeller())
    one_by_one = [in_time.step(NOW, [m])[0] for m in audio_in(samples, [0, 1, 2, 3])]
    assert late.step(NOW, audio_in(samples, [2, 0, 3, 1])) == one_by_one


def test_stereo_is_heard_as_the_mean_of_its_channels():
    samples = sound(3)
    mono, stereo = PerceptionAgent(labeller()), PerceptionAgent(labeller())
    same = audio_in(samples, [0, 1, 2], channels=2)
    assert stereo.step(NOW, same) == mono.step(NOW, audio_in(samples, [0, 1, 2]))


def test_a_missing_window_counts_as_silence_and_gets_no_label():
    samples = sound(6)
    muted = samples.copy()
    muted[2 * N : 4 * N] = 0.0
    whole, gappy = PerceptionAgent(labeller()), PerceptionAgent(labeller())
    want = whole.step(NOW, audio_in(muted, list(range(6))))
    got = gappy.step(NOW, audio_in(samples, [0, 1, 4, 5]))
    assert got == [want[0], want[1], want[4], want[5]]


def test_a_gap_of_days_costs_no_more_than_one_window():
    agent = PerceptionAgent(labeller())
    agent.step(NOW, audio_in(sound(1), [0]))
    far = AudioIn(10**9, sound(1)[:, None])
    assert [label.window for label in agent.step(NOW, [far])] == [10**9]


def test_a_window_that_comes_twice_or_late_is_passed_over():
    agent, samples = PerceptionAgent(labeller()), sound(3)
    agent.step(NOW, audio_in(samples, [0, 2]))
    assert agent.step(NOW, audio_in(samples, [1, 2])) == []


def test_the_first_window_need_not_be_window_zero():
    assert PerceptionAgent(labeller()).step(NOW, audio_in(sound(8), [7]))[0].window == 7


def test_other_messages_are_passed_over():
    assert PerceptionAgent(labeller()).step(NOW, [Tick(0, NOW, 0.1)]) == []


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_heard_as_silence_and_spoil_nothing(poison):
    samples = sound(6)
    samples[2 * N + 5] = poison
    got = PerceptionAgent(labeller()).step(NOW, audio_in(samples, list(range(6))))
    assert [label.label == SILENCE for label in got] == [False, False, True, False, False, False]
    assert all(np.isfinite([label.distance, label.onset, label.energy_db]).all() for label in got)


def test_a_restarted_agent_says_what_the_old_one_would_once_the_context_has_passed():
    samples = sound(12)
    old = PerceptionAgent(labeller())
    said = old.step(NOW, audio_in(samples, list(range(12))))
    new = PerceptionAgent(labeller())
    new.restore(said[:6])
    again = new.step(NOW, audio_in(samples, list(range(6, 12))))
    assert again[1:] == said[7:]
    assert again[0].reference_db == said[6].reference_db


def test_a_restart_with_labels_missing_lets_the_time_between_pass():
    said = HeardLabel(0, 1, 0.1, -10.0, 0.0, reference_db=-10.0)
    agent = PerceptionAgent(labeller())
    agent.restore([Tick(0, NOW, 0.1), said])
    quiet = AudioIn(9, np.zeros((N, 1), np.float32))
    assert agent.step(NOW, [quiet])[0].reference_db == pytest.approx(-10.0 - 9 * 0.25 * 3.0)


def test_an_empty_history_starts_afresh():
    samples = sound(4)
    agent, fresh = PerceptionAgent(labeller()), PerceptionAgent(labeller())
    agent.step(NOW, audio_in(samples, [0, 1, 2, 3]))
    agent.restore([])
    again = agent.step(NOW, audio_in(samples, [0, 1, 2, 3]))
    assert again == fresh.step(NOW, audio_in(samples, [0, 1, 2, 3]))


def test_the_performers_gate_takes_the_place_of_the_bundles():
    deaf = build(PerceptionConfig(gate=EnergyGateConfig(floor_db=-1.0)), labeller())
    ears = build(PerceptionConfig(), labeller())
    windows = audio_in(sound(1), [0])
    assert deaf.step(NOW, windows)[0].label == SILENCE
    assert ears.step(NOW, windows)[0].label != SILENCE


def test_a_window_off_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"a window must be mono and 0.25 s at 8000 Hz"):
        PerceptionAgent(labeller()).step(NOW, [AudioIn(0, np.zeros((7, 1), np.float32))])


def test_labels_carry_the_rotation_that_they_have_offline():
    samples = sound(40)
    want = keyed_labeller().label_track(samples, np.arange(41) * N)
    agent = PerceptionAgent(keyed_labeller())
    got = [agent.step(NOW, [message])[0] for message in audio_in(samples, list(range(40)))]
    assert [label.rotation for label in got] == want.rotations.tolist()
    assert [label.label for label in got] == want.labels.tolist()
    assert len(set(want.rotations.tolist())) > 1


def test_a_restarted_agent_is_in_the_key_of_the_old_one():
    f_sharp_major = np.array([6, 8, 10, 11, 13, 15, 17, 18]) - 9  # above A4
    t = np.arange(N) / RATE
    notes = np.tile(440.0 * 2 ** (f_sharp_major / 12), 5)
    samples = np.concatenate([0.2 * np.sin(2 * np.pi * hz * t) for hz in notes])
    heard = audio_in(samples.astype(np.float32), list(range(40)))
    said = PerceptionAgent(keyed_labeller()).step(NOW, heard)
    agent = PerceptionAgent(keyed_labeller())
    agent.restore(said[26:30])  # as much as the journal is asked for
    again = agent.step(NOW, heard[30:])
    assert (
        [label.rotation for label in again] == [label.rotation for label in said[30:]] == [6] * 10
    )
    assert [label.label for label in again[1:]] == [label.label for label in said[31:]]
    fresh = PerceptionAgent(keyed_labeller()).step(NOW, heard[30:])
    assert fresh[0].rotation != 6
