"""The crossfading renderer: no click, no gap, no dependence on block sizes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.action.concatenation import Concatenator, ConcatenatorConfig, Outcome
from agents.messages import SILENCE, Fragment
from corpus.segmentation import WindowGrid, exact_seconds

RATE = 8000
GRID = WindowGrid(RATE, exact_seconds(0.125))  # windows of 1000 samples
CONFIG = ConcatenatorConfig(fade_seconds=0.01, release_seconds=0.02, panic_seconds=0.004)
FADE = 80
LEAD = 100
TAIL = 600


def cut(material, window, segment, *, at=None, plan_window=None, continues=False, lead=LEAD):
    """A fragment of `material` for `window`, whose grid point is `material[at]`."""
    at = GRID.boundary(window) if at is None else at
    begin, end = at - lead, at + 1000 + TAIL
    samples = np.zeros((end - begin, 1), dtype=np.float32)
    inside = material[max(begin, 0) : min(end, len(material))]
    samples[max(-begin, 0) : max(-begin, 0) + len(inside), 0] = inside
    return Fragment(
        window=window,
        plan_window=window if plan_window is None else plan_window,
        wanted=0,
        label=0,
        segment=segment,
        reason="jump",
        continues=continues,
        lead_samples=lead,
        samples=samples,
    )


def silence(window, plan_window=None):
    nothing = np.zeros((0, 1), dtype=np.float32)
    plan_window = window if plan_window is None else plan_window
    return Fragment(window, plan_window, SILENCE, SILENCE, SILENCE, "silence", False, 0, nothing)


def sine(hz=200.0, n=12_000, level=0.5):
    return (level * np.sin(2 * np.pi * hz * np.arange(n) / RATE)).astype(np.float32)


def noise(seed, n=12_000, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def render(concatenator, n):
    return concatenator.render(concatenator.position, n)[:, 0]


def largest_step(signal):
    return float(np.abs(np.diff(signal)).max())


@pytest.fixture
def concatenator():
    return Concatenator(GRID, 1, CONFIG)


def test_nothing_scheduled_is_silence_and_missed(concatenator):
    assert not render(concatenator, 3000).any()
    assert concatenator.sounded(1) is None


def test_the_attack_is_at_full_level_on_the_grid(concatenator):
    click = np.zeros(12_000, dtype=np.float32)
    click[2000:2050] = 0.8
    concatenator.schedule(cut(noise(1), 1, 7))
    concatenator.schedule(cut(click, 2, 3))
    out = render(concatenator, 2100)
    np.testing.assert_array_equal(out[2000:2050], click[2000:2050])


def test_the_previous_fragment_is_gone_on_the_grid(concatenator):
    concatenator.schedule(cut(noise(1), 1, 7))
    concatenator.schedule(cut(np.zeros(12_000, dtype=np.float32), 2, 3))
    out = render(concatenator, 3000)
    assert not out[2000:].any()
    assert np.abs(out[2000 - FADE : 1990]).max() > 0
    np.testing.assert_array_equal(out[1000:1920], noise(1)[1000:1920])


def test_consecutive_segments_reproduce_the_memory_exactly(concatenator):
    memory = noise(5)
    for window in range(1, 8):
        concatenator.schedule(cut(memory, window, 40 + window, continues=True))
    out = render(concatenator, 8000)
    np.testing.assert_array_equal(out[1000:], memory[1000:8000])


def test_a_late_continuation_reproduces_the_memory_exactly(concatenator):
    memory = noise(5)
    concatenator.schedule(cut(memory, 1, 41))
    head = render(concatenator, 2123)
    assert concatenator.schedule(cut(memory, 2, 42, continues=True)) is Outcome.JOINED
    out = np.concatenate([head, render(concatenator, 800)])
    np.testing.assert_array_equal(out[1000:], memory[1000:2923])


def test_a_continuation_of_something_corrected_away_joins_at_equal_power(concatenator):
    concatenator.schedule(cut(noise(1), 1, 99))
    concatenator.schedule(cut(noise(2), 2, 42, continues=True))
    out = render(concatenator, 2000)
    middle = 2000 - FADE // 2
    gains = (
        np.sin(0.5 * np.pi * (FADE // 2 + 0.5) / FADE),
        np.cos(0.5 * np.pi * (FADE // 2 + 0.5) / FADE),
    )
    expected = gains[0] * noise(2)[middle] + gains[1] * noise(1)[middle]
    assert out[middle] == pytest.approx(expected, abs=1e-6)


def entering(memory, other, window, segment, entry, after):
    """A fragment in which `after` goes on, as `memory` has it, until `other` enters at `entry`."""
    fragment = cut(memory, window, segment)
    at = LEAD + entry
    fragment.samples[at:] = cut(other, window, segment).samples[at:]
    return replace(fragment, entry_samples=entry, after=after)


def test_what_goes_on_until_a_segment_enters_is_the_memory_exactly(concatenator):
    memory, other = noise(5), noise(6)
    concatenator.schedule(cut(memory, 1, 41))
    concatenator.schedule(entering(memory, other, 2, 70, 400, after=41))
    concatenator.schedule(cut(other, 3, 71, continues=True))
    out = render(concatenator, 4000)
    np.testing.assert_array_equal(out[1000:2400], memory[1000:2400])
    np.testing.assert_array_equal(out[2400:], other[2400:4000])


@pytest.mark.parametrize(("entry", "corrected"), [(400, 600), (400, 0)])
def test_a_correction_before_anything_has_entered_is_not_heard(concatenator, entry, corrected):
    memory, other = noise(5), noise(6)
    concatenator.schedule(cut(memory, 1, 41))
    concatenator.schedule(entering(memory, other, 2, 70, entry, after=41))
    head = render(concatenator, 2150)
    anew = cut(memory, 2, 42, continues=True)
    if corrected:
        anew = entering(memory, noise(7), 2, 90, corrected, after=41)
    assert concatenator.schedule(replace(anew, plan_window=3)) is Outcome.JOINED
    out = np.concatenate([head, render(concatenator, 350)])
    np.testing.assert_array_equal(out[1000:], memory[1000:2500])


def test_a_segment_that_enters_after_another_than_sounds_joins_at_equal_power(concatenator):
    concatenator.schedule(cut(noise(1), 1, 99))
    concatenator.schedule(entering(noise(2), noise(6), 2, 70, 400, after=41))
    out = render(concatenator, 2000)
    middle = 2000 - FADE // 2
    rising = np.sin(0.5 * np.pi * (FADE // 2 + 0.5) / FADE)
    falling = np.cos(0.5 * np.pi * (FADE // 2 + 0.5) / FADE)
    expected = rising * noise(2)[middle] + falling * noise(1)[middle]
    assert out[middle] == pytest.approx(expected, abs=1e-6)


def test_uncorrelated_noise_keeps_its_power_through_a_join():
    power = np.zeros(200)
    for seed in range(600):
        concatenator = Concatenator(GRID, 1, CONFIG)
        concatenator.schedule(cut(noise(2 * seed + 1, 3000), 1, 7))
        concatenator.schedule(cut(noise(2 * seed + 2, 3000), 2, 3))
        power += render(concatenator, 2060)[1860:2060] ** 2
    power /= 600 * 0.1**2
    assert np.abs(power.reshape(10, 20).mean(axis=1) - 1.0).max() < 0.06


def test_a_missing_window_holds_the_tail_then_fades_and_is_missed(concatenator):
    material = sine()
    concatenator.schedule(cut(material, 1, 7))
    out = render(concatenator, 4000)
    held = 2000 + TAIL - 160  # the release takes the last 20 ms
    np.testing.assert_array_equal(out[1000:held], material[1000:held])
    assert not out[2000 + TAIL :].any()
    assert largest_step(out[1000:]) <= largest_step(material) + 0.5 / FADE
    assert concatenator.sounded(1) is not None
    assert concatenator.sounded(2) is None


def test_a_fragment_without_a_tail_still_ends_without_a_click(concatenator):
    whole = cut(sine(230.0), 1, 7)
    concatenator.schedule(replace(whole, samples=whole.samples[: LEAD + 1000]))
    out = render(concatenator, 3000)
    assert largest_step(out) <= largest_step(sine(230.0)) + 0.5 * 1.6 / FADE


def test_a_fragment_without_a_lead_in_still_starts_without_a_click(concatenator):
    material = sine(230.0) + 0.3
    concatenator.schedule(cut(material, 1, 7, lead=0))
    out = render(concatenator, 1500)
    assert largest_step(out) <= largest_step(material) + 0.8 * 1.6 / FADE
    np.testing.assert_array_equal(out[1000 + FADE :], material[1000 + FADE : 1500])


def test_a_late_correction_lies_on_the_grid_and_joins_where_we_are(concatenator):
    foreseen, fresh = noise(1), noise(2)
    concatenator.schedule(cut(foreseen, 1, 7, plan_window=0))
    head = render(concatenator, 1333)
    assert concatenator.schedule(cut(fresh, 1, 3)) is Outcome.JOINED
    out = np.concatenate([head, render(concatenator, 500)])
    np.testing.assert_array_equal(out[1000:1333], foreseen[1000:1333])
    np.testing.assert_array_equal(out[1333 + FADE :], fresh[1333 + FADE : 1833])
    assert concatenator.sounded(1).segment == 3


def test_a_correction_before_the_entry_leaves_no_trace_of_what_was_foreseen(concatenator):
    concatenator.schedule(cut(noise(1), 1, 7, plan_window=0))
    render(concatenator, 900)
    assert concatenator.schedule(cut(noise(2), 1, 3)) is Outcome.SCHEDULED
    alone = Concatenator(GRID, 1, CONFIG)
    alone.schedule(cut(noise(2), 1, 3))
    np.testing.assert_array_equal(render(concatenator, 600), render(alone, 1500)[900:])


def test_a_correction_for_a_window_that_is_over_is_late(concatenator):
    render(concatenator, 2000 - FADE + 1)
    assert concatenator.schedule(cut(noise(1), 1, 7)) is Outcome.LATE
    assert concatenator.sounded(1) is None


def test_a_confirmation_changes_nothing_but_what_is_said(concatenator):
    foreseen = cut(noise(1), 1, 7, plan_window=0)
    concatenator.schedule(foreseen)
    render(concatenator, 1100)
    nothing = np.zeros((0, 1), dtype=np.float32)
    confirmed = replace(foreseen, plan_window=1, samples=nothing, lead_samples=0)
    assert concatenator.schedule(confirmed) is Outcome.CONFIRMED
    assert concatenator.sounded(1).plan_window == 1
    np.testing.assert_array_equal(render(concatenator, 500), noise(1)[1100:1600])


def test_a_confirmation_of_something_that_never_came_is_unknown(concatenator):
    nothing = np.zeros((0, 1), dtype=np.float32)
    confirmation = replace(cut(noise(1), 1, 7), samples=nothing, lead_samples=0)
    assert concatenator.schedule(confirmation) is Outcome.UNKNOWN
    assert concatenator.sounded(1) is None


def test_the_same_segment_again_does_not_join_anew(concatenator):
    concatenator.schedule(cut(noise(1), 1, 7, plan_window=0))
    render(concatenator, 1100)
    assert concatenator.schedule(cut(noise(1), 1, 7)) is Outcome.CONFIRMED


def test_an_older_plan_does_not_undo_a_newer_one(concatenator):
    concatenator.schedule(cut(noise(1), 3, 7, plan_window=2))
    assert concatenator.schedule(cut(noise(2), 3, 3, plan_window=1)) is Outcome.STALE
    assert concatenator.sounded(3).segment == 7


def test_silence_fades_out_by_the_grid(concatenator):
    concatenator.schedule(cut(sine(), 1, 7))
    concatenator.schedule(silence(2))
    out = render(concatenator, 3000)
    assert not out[2000:].any()
    assert largest_step(out) <= largest_step(sine()) + 0.5 * 1.6 / FADE
    assert concatenator.sounded(2).segment == SILENCE


def test_a_fragment_far_ahead_is_refused(concatenator):
    assert concatenator.schedule(cut(noise(1), 65, 7)) is Outcome.REFUSED
    assert concatenator.counts[Outcome.REFUSED] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"lead_samples": -1},
        {"lead_samples": 5000},
        {"window": -1},
        {"segment": -2},
        {"segment": SILENCE},
        {"samples": np.zeros(1000, dtype=np.float32)},
        {"samples": np.full((1700, 1), np.nan, dtype=np.float32)},
    ],
)
def test_a_malformed_fragment_is_refused(concatenator, change):
    assert concatenator.schedule(replace(cut(noise(1), 1, 7), **change)) is Outcome.REFUSED


def test_mono_spreads_and_stereo_folds():
    stereo = Concatenator(GRID, 2, CONFIG)
    stereo.schedule(cut(noise(1), 1, 7))
    out = stereo.render(0, 1500)
    np.testing.assert_array_equal(out[1000:, 0], out[1000:, 1])
    mono = Concatenator(GRID, 1, CONFIG)
    fragment = cut(noise(1), 1, 7)
    mono.schedule(replace(fragment, samples=np.hstack([fragment.samples, fragment.samples * 0])))
    np.testing.assert_allclose(mono.render(0, 1500)[1000:, 0], noise(1)[1000:1500] / 2, atol=1e-7)


def test_six_channels_into_two_are_refused():
    fragment = cut(noise(1), 1, 7)
    wide = replace(fragment, samples=np.repeat(fragment.samples, 6, axis=1))
    assert Concatenator(GRID, 2, CONFIG).schedule(wide) is Outcome.REFUSED


def test_panic_is_silent_within_a_block_until_resumed(concatenator):
    concatenator.schedule(cut(sine(), 1, 7))
    concatenator.schedule(cut(sine(), 2, 8, continues=True))
    before = render(concatenator, 1500)
    concatenator.panic()
    out = render(concatenator, 256)
    assert not out[32:].any()
    assert not render(concatenator, 256).any()
    concatenator.resume()
    after = render(concatenator, 400)
    np.testing.assert_array_equal(after[FADE:], sine()[2012 + FADE : 2412])
    whole = np.concatenate([before[1000:], out, np.zeros(256), after])
    assert largest_step(whole) <= largest_step(sine()) + 0.5 / 32


def test_rendering_backwards_is_refused(concatenator):
    render(concatenator, 100)
    with pytest.raises(ValueError, match="start_sample must be at least 100, got 50"):
        concatenator.render(50, 10)


def test_windows_shorter_than_two_fades_are_refused():
    with pytest.raises(ValueError, match="two crossfades"):
        Concatenator(WindowGrid(RATE, exact_seconds(0.01)), 1, CONFIG)


events = st.lists(
    st.tuples(
        st.integers(0, 5000),  # position at which it arrives
        st.integers(0, 6),  # window
        st.integers(-1, 5),  # segment
        st.integers(0, 3),  # age of the plan
        st.sampled_from([0, 30, LEAD]),  # lead-in
    ),
    max_size=12,
)


def perform(material, arrivals, block):
    """Render 6000 samples in blocks, with arrivals at exact positions; (signal, outcomes)."""
    concatenator = Concatenator(GRID, 1, CONFIG)
    out, outcomes = [], []
    for position, window, segment, age, lead in [*sorted(arrivals), (6000, 0, -1, 0, 0)]:
        while concatenator.position < position:
            out.append(render(concatenator, min(block, position - concatenator.position)))
        plan = max(window - age, 0)
        if segment == SILENCE:
            outcomes.append(concatenator.schedule(silence(window, plan)))
        else:
            fragment = cut(
                material, window, segment, at=700 + 1000 * segment, plan_window=plan, lead=lead
            )
            outcomes.append(concatenator.schedule(replace(fragment, continues=segment % 2 == 1)))
    return np.concatenate(out), outcomes


@settings(max_examples=60, deadline=None)
@given(events, st.integers(1, 700))
def test_blocks_of_any_size_give_the_same_samples(arrivals, block):
    whole, first = perform(noise(3), arrivals, 6000)
    cut_up, second = perform(noise(3), arrivals, block)
    np.testing.assert_array_equal(whole, cut_up)
    assert first == second


@settings(max_examples=100, deadline=None)
@given(events)
def test_no_sequence_of_fragments_ever_clicks(arrivals):
    material = sine(150.0)
    out, _ = perform(material, arrivals, 6000)
    loudest = max(float(np.abs(out).max()), 0.5)
    # two joins of half a cosine each and a release may coincide on the slope of the material
    explained = loudest / 0.5 * largest_step(material) + 2 * loudest * 1.6 / FADE
    assert largest_step(np.concatenate([[0.0], out])) <= explained
