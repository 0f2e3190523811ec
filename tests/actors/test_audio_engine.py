"""The audio engine: windows cut exactly, answers on the grid, every window accounted for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.audio_engine import AudioEngine, AudioEngineConfig, WindowCutter
from actors.devices.audio import AudioDeviceConfig
from actors.devices.replay import ReplayDevice
from agents.action.concatenation import Outcome
from agents.messages import SILENCE, AudioIn, AudioOut, Fragment, Metric, Played, Tick
from agents.musical_time import TempoMap
from corpus.segmentation import WindowGrid, exact_seconds

RATE = 44_100
GRID = WindowGrid(RATE, exact_seconds(0.25))  # windows of 11025 samples, blocks of 256
DEVICE = AudioDeviceConfig(sample_rate=RATE, channels=1, lead_blocks=2)
BLOCK = DEVICE.block_frames
MEMORY = (0.1 * np.random.default_rng(3).standard_normal(RATE * 4)).astype(np.float32)


def fragment(window, segment, *, plan_window=None, continues=True):
    """Segment `segment` of MEMORY (on the same grid) for `window`."""
    at = GRID.boundary(segment)
    lead = min(600, at)
    samples = MEMORY[at - lead : at + 11_025 + 4000, None].copy()
    plan_window = window if plan_window is None else plan_window
    return Fragment(window, plan_window, 5, 4, segment, "jump", continues, lead, samples)


def confirmation(foreseen):
    nothing = np.zeros((0, 1), dtype=np.float32)
    return replace(foreseen, plan_window=foreseen.window, samples=nothing, lead_samples=0)


def perform(answers, n_windows, *, config=None, underruns=None, latency=0.01):
    """Run the loop of the module docstring over a guide; (output on the grid, messages).

    `answers(window)` are the fragments that arrive once Tick(window) has been published.
    """
    engine = AudioEngine(GRID, TempoMap(), DEVICE, config)
    guide = np.arange(GRID.boundary(n_windows), dtype=np.float32)[:, None] / 1e6
    device = ReplayDevice(guide, DEVICE, clock=None, pace="fast", keep_heard=True)
    device.start()
    messages = []
    for block in engine.prime():
        device.write(block)
    while (block := device.read(0.0)) is not None:
        count = underruns(device.block_time) if underruns else 0
        device.write(engine.process(block, device.block_time, count))
        for message in engine.messages():
            messages.append(message)
            if isinstance(message, Tick):
                for answer in answers(message.window):
                    engine.accept(answer, device.block_time + latency)
    return device.heard[:, 0], messages


def of(kind, messages):
    return [message for message in messages if isinstance(message, kind)]


def test_windows_are_cut_exactly_although_blocks_do_not_align():
    _, messages = perform(lambda _: [], 6)
    heard = of(AudioIn, messages)
    assert [message.window for message in heard] == list(range(6))
    whole = np.concatenate([message.samples for message in heard])[:, 0]
    np.testing.assert_array_equal(whole, np.arange(6 * 11_025, dtype=np.float32) / 1e6)


def test_a_tick_follows_the_window_it_may_be_answered_from():
    _, messages = perform(lambda _: [], 3)
    order = [(type(m).__name__, m.window) for m in messages if not isinstance(m, Metric)]
    assert order[:3] == [("AudioIn", 0), ("Tick", 1), ("Played", 0)]
    tick = of(Tick, messages)[1]
    assert tick.moment.seconds == 0.5
    assert tick.moment.beats == 1.0
    assert tick.deadline_seconds == 0.0625


def test_a_foreseen_fragment_starts_exactly_on_the_grid():
    def answers(window):
        return [fragment(window + 1, 5, plan_window=window)] if window == 1 else []

    heard, _ = perform(answers, 5)
    at = GRID.boundary(2)
    expected = MEMORY[GRID.boundary(5) :][:11_000]
    np.testing.assert_array_equal(heard[at : at + 11_000], expected)


def test_a_continued_memory_is_heard_as_it_was_recorded():
    def answers(window):
        return [fragment(window + 1, window + 1, plan_window=window)]

    heard, _ = perform(answers, 10)
    begin, end = GRID.boundary(2), GRID.boundary(10)
    np.testing.assert_array_equal(heard[begin:end], MEMORY[begin:end])


def test_a_fresh_answer_that_agrees_stands_and_is_timed():
    foreseen = {}

    def answers(window):
        foreseen[window + 1] = fragment(window + 1, 3, plan_window=window)
        mine = [confirmation(foreseen[window])] if window in foreseen else []
        return [*mine, foreseen[window + 1]]

    _, messages = perform(answers, 5)
    played = of(Played, messages)[3]
    assert played.foreseen_stood
    assert played.staleness == 0
    assert played.segment == 3
    assert (played.label, played.wanted) == (4, 5)
    # 33075 = 129 blocks and 51 samples: the block ends 205 samples after the boundary
    assert played.reaction_seconds == pytest.approx(0.01 + 205 / RATE)


def test_a_fresh_answer_that_differs_is_heard_in_its_window():
    def answers(window):
        return [fragment(window, 7), fragment(window + 1, 3, plan_window=window)]

    heard, messages = perform(answers, 5)
    played = of(Played, messages)[3]
    assert not played.foreseen_stood
    assert played.segment == 7
    boundary = GRID.boundary(3)
    late = boundary + 205 + 2 * BLOCK + 441 + 66  # block end, lead, crossfade, look-ahead
    end = GRID.boundary(4) - 441
    offset = GRID.boundary(7) - boundary
    np.testing.assert_array_equal(heard[late:end], MEMORY[late + offset : end + offset])
    np.testing.assert_array_equal(
        heard[boundary : boundary + 205], MEMORY[GRID.boundary(3) :][:205]
    )


def test_the_last_plan_covers_and_its_age_is_told():
    def answers(window):
        if window != 1:
            return []
        return [fragment(k, k, plan_window=1) for k in (1, 2, 3)]

    _, messages = perform(answers, 6)
    played = of(Played, messages)
    assert [p.staleness for p in played[1:4]] == [0, 1, 2]
    assert [p.reason for p in played] == ["start", "jump", "jump", "jump", "missed", "missed"]
    assert played[2].reaction_seconds is None
    assert not played[2].foreseen_stood


def test_the_start_is_neither_an_error_nor_a_click():
    heard, messages = perform(lambda window: [fragment(window, window)], 4)
    played = of(Played, messages)
    assert played[0].reason == "start"
    assert played[1].reason == "jump"
    assert not heard[: GRID.boundary(1)].any()
    assert np.abs(np.diff(heard[: GRID.boundary(1) + 1000])).max() < 0.9


def test_silence_foreseen_and_answered_stands():
    nothing = np.zeros((0, 1), dtype=np.float32)

    def rest(window, plan_window):
        return Fragment(
            window, plan_window, SILENCE, SILENCE, SILENCE, "silence", False, 0, nothing
        )

    _, messages = perform(lambda k: [rest(k, k), rest(k + 1, k)], 4)
    played = of(Played, messages)[2]
    assert played.foreseen_stood
    assert played.reason == "silence"


def test_an_answer_after_its_window_is_late_and_leaves_it_missed():
    outcomes = []
    engine = AudioEngine(GRID, TempoMap(), DEVICE)
    for _ in range(90):
        engine.process(np.zeros((BLOCK, 1), dtype=np.float32), 0.0)
    outcomes.append(engine.accept(fragment(1, 2), 1.0))
    for _ in range(10):
        engine.process(np.zeros((BLOCK, 1), dtype=np.float32), 0.0)
    assert outcomes == [Outcome.LATE]
    assert of(Played, engine.messages())[1].reason == "missed"


def test_underruns_are_told_with_the_window_they_fell_into():
    _, messages = perform(lambda _: [], 4, underruns=lambda t: 2 * (t > 0.6) + (t > 0.8))
    assert [p.underruns for p in of(Played, messages)] == [0, 0, 2, 1]


def test_the_sound_played_is_published_on_request():
    config = AudioEngineConfig(publish_output=True)
    heard, messages = perform(lambda k: [fragment(k, k)], 4, config=config)
    sound = np.concatenate([m.samples for m in of(AudioOut, messages)])[:, 0]
    np.testing.assert_array_equal(sound[: len(heard)], heard[: len(sound)])


def test_levels_are_told_every_window():
    _, messages = perform(lambda k: [fragment(k, k)], 3)
    metrics = {(m.window, m.name): m.value for m in of(Metric, messages)}
    assert metrics[0, "audio.peak"] == 0
    assert 0.2 < metrics[2, "audio.peak"] < 0.9
    assert metrics[2, "audio.limiter_db"] == 0


def test_panic_silences_within_one_block_and_resume_comes_back():
    engine = AudioEngine(GRID, TempoMap(), DEVICE)
    for k in range(8):
        engine.accept(fragment(k, k), 0.0)
    quiet = np.zeros((BLOCK, 1), dtype=np.float32)
    for _ in range(60):
        engine.process(quiet, 0.0)
    engine.panic()
    assert not engine.process(quiet, 0.0)[-8:].any()
    assert not engine.process(quiet, 0.0).any()
    engine.resume()
    engine.process(quiet, 0.0)
    engine.process(quiet, 0.0)
    assert engine.process(quiet, 0.0).all()


def test_a_broken_microphone_does_not_reach_the_agents():
    engine = AudioEngine(GRID, TempoMap(), DEVICE)
    for _ in range(44):
        engine.process(np.full((BLOCK, 1), np.nan, dtype=np.float32), 0.0)
    assert not of(AudioIn, engine.messages())[0].samples.any()
    assert engine.input_sanitised == 44 * BLOCK


def test_two_runs_give_the_same_bytes():
    def answers(k):
        return [fragment(k, k % 5), fragment(k + 1, (k * 7) % 11, plan_window=k)]

    first, second = perform(answers, 8)[0], perform(answers, 8)[0]
    assert first.tobytes() == second.tobytes()


def test_a_block_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="must have shape"):
        AudioEngine(GRID, TempoMap(), DEVICE).process(np.zeros((10, 1), dtype=np.float32), 0.0)


def test_another_rate_than_the_grid_is_refused():
    device = DEVICE.model_copy(update={"sample_rate": 48_000})
    with pytest.raises(ValueError, match="one sample rate"):
        AudioEngine(GRID, TempoMap(), device)


def test_a_lead_of_more_than_half_a_window_is_refused():
    device = DEVICE.model_copy(update={"lead_blocks": 30})
    with pytest.raises(ValueError, match="at most half a window"):
        AudioEngine(GRID, TempoMap(), device)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=20), st.sampled_from(["0.0137", "0.05", "1/30"]))
def test_windows_of_any_stream_put_together_are_the_stream(sizes, seconds):
    from fractions import Fraction

    grid = WindowGrid(8000, Fraction(seconds))
    cutter = WindowCutter(grid, 1)
    stream = np.arange(sum(sizes), dtype=np.float32)[:, None]
    windows, at = [], 0
    for size in sizes:
        windows += list(cutter.feed(stream[at : at + size]))
        at += size
    assert [k for k, _ in windows] == list(range(grid.n_whole_windows(at)))
    for k, samples in windows:
        np.testing.assert_array_equal(samples, stream[grid.boundary(k) : grid.boundary(k + 1)])
