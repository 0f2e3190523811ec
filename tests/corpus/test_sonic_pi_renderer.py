"""Programs as people write them: what they play, how they sound, how they fail."""

from collections.abc import Iterator

import numpy as np
import pytest

from corpus.sonic_pi.fork_server import ProgramLimits
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.renderer import EventList, Renderer, RendererConfig
from corpus.sonic_pi.synthesis import SynthesisLimits

PATIENT = RendererConfig(
    program=ProgramLimits(cpu_seconds=30, wall_seconds=60.0),
    synthesis=SynthesisLimits(cpu_seconds=30, wall_seconds=90.0),
)


@pytest.fixture(scope="module")
def renderer(needs_sonic_pi) -> Iterator[Renderer]:
    renderer = Renderer(PATIENT)
    with renderer:
        yield renderer


def times(played: EventList, kind: str = "synth") -> list[float]:
    return [event.time for event in played.events if event.kind == kind]


def test_notes_fall_where_the_program_puts_them(renderer: Renderer):
    played = renderer.events("use_bpm 120\n4.times do\n play 60, release: 0.5\n sleep 1\nend", 4.0)

    assert times(played) == pytest.approx([0.0, 0.5, 1.0, 1.5], abs=1e-6)
    assert played.events[0].arguments["note"] == 60.0
    assert played.events[0].arguments["release"] == 0.25  # seconds: the tempo is applied
    assert played.events[0].arguments["pan"] == 0.0  # a default


def test_sound_begins_with_the_note_and_is_exactly_as_long_as_asked(renderer: Renderer):
    rendering = renderer.render("sleep 1\nplay 69, attack: 0, release: 0.3", 2.5)

    assert rendering.audio.shape == (110_250, 2)
    assert rendering.audio.dtype == np.float32
    onset = np.flatnonzero(np.abs(rendering.audio[:, 0]) > 1e-3)[0] / rendering.sample_rate
    assert onset == pytest.approx(1.0, abs=0.002)


def test_a_note_sounds_at_its_pitch(renderer: Renderer):
    rendering = renderer.render("synth :sine, note: 69, sustain: 2", 2.0)

    spectrum = np.abs(np.fft.rfft(rendering.audio[:44_100, 0]))
    assert int(spectrum.argmax()) == pytest.approx(440, abs=1)


def test_live_loops_run_together_and_meet_at_a_cue(renderer: Renderer):
    code = """
live_loop :drums do
  sample :bd_haus
  sleep 0.5
end
live_loop :bass, sync: :drums do
  synth :tb303, note: :e2, release: 0.2
  sleep 0.5
end
"""
    played = renderer.events(code, 2.0)

    assert times(played, "sample") == pytest.approx([0.0, 0.5, 1.0, 1.5], abs=1e-6)
    assert times(played) == pytest.approx([0.5, 1.0, 1.5], abs=1e-6)


def test_sounds_inside_an_effect_run_into_its_bus(renderer: Renderer):
    code = "with_fx :reverb do\n with_fx :echo do\n  play 60\n end\nend"

    reverb, echo, note = renderer.events(code, 2.0).events

    assert (reverb.name, echo.name, note.name) == ("reverb", "echo", "beep")
    assert note.arguments["out_bus"] == echo.arguments["in_bus"]
    assert echo.arguments["out_bus"] == reverb.arguments["in_bus"]


def test_a_slide_is_a_change_of_the_note_it_slides(renderer: Renderer):
    played = renderer.events(
        "s = play 60, note_slide: 1, sustain: 2\nsleep 1\ncontrol s, note: 72", 3.0
    )

    note, change = played.events
    assert change.kind == "control"
    assert change.node == note.node
    assert change.arguments == {"note": 72.0}
    assert change.time == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("play_pattern_timed scale(:c4, :minor_pentatonic), 0.25", 6),
        ("play chord(:e3, :m7)", 4),
        ("density 2 do\n play 60\n sleep 1\nend", 2),
        ("8.times { play 60 if spread(3, 8).tick; sleep 0.125 }", 3),
        ("at [0, 0.5, 1] do\n play 60\nend", 3),
        ("time_warp 0.5 do\n play 60\nend", 1),
        ("define :f do |n|\n play n\nend\nf 60; f 62", 2),
        ("in_thread do\n play 60\nend\nplay 62", 2),
        ("set :n, 64\nsleep 0.1\nplay get[:n]", 1),
        ("use_random_seed 3\n4.times { play choose([60, 62, 64]); sleep 0.1 }", 4),
        ("use_synth_defaults amp: 0.5\nplay 60, on: one_in(1)", 1),
        ("with_fx :slicer, phase: 0.125 do\n play 60\nend", 1),
        ("play (ring 60, 62, 64).tick\nplay (knit :c4, 2).look", 2),
        ("set_sched_ahead_time! 0.1\nuse_real_time\nplay 60", 1),
        ("2.times { play rrand(50, 60) }\nstop\nplay 60", 2),
        ("use_octave 1\nuse_transpose 2\nplay 60", 1),
        ("set_mixer_control! lpf: 80\nset_volume! 0.5\nplay hz_to_midi(440)", 1),
    ],
)
def test_the_language_plays_as_many_notes_as_it_should(renderer: Renderer, code: str, count: int):
    played = renderer.events(code, 2.0)

    assert played.errors == ()
    assert len(times(played)) == count


@pytest.mark.parametrize(
    "code",
    [
        "sample :loop_amen, beat_stretch: 2",
        "sample :loop_amen, onset: 3",
        "sample :loop_amen, slice: 2, num_slices: 8, rate: -1",
        "load_samples :bd_haus\nsample :bd_haus, lpf: 70, sustain: 0.1",
        "sample :ambi_choir, rpitch: 7, start: 0.2, finish: 0.6",
        "puts sample_duration(:loop_garzul)\nsample 'bd_ada'",
    ],
)
def test_samples_play_in_every_form(renderer: Renderer, code: str):
    played = renderer.events(code, 2.0)

    assert played.errors == ()
    assert len(times(played, "sample")) == 1


@pytest.mark.parametrize(
    ("code", "kind", "line", "words"),
    [
        ("play 60\nplay (", "syntax", None, "syntax error"),
        ("play 60\nuse_synth :nosuch\nplay 62", "runtime", 3, "nosuch"),
        ("play 60\nwith_fx :nosuch do\nend", "runtime", 2, "nosuch"),
        ("sleep 0.5\n\nraise 'oh'", "runtime", 3, "RuntimeError: oh"),
        ("undefined_thing", "runtime", 1, "undefined_thing"),
        ("live_loop :a do\n play 60\nend", "runtime", None, "did not sleep"),
        ("play :nosuchnote", "runtime", 1, "nosuchnote"),
    ],
)
def test_mistakes_come_back_with_their_line(
    renderer: Renderer, code: str, kind: str, line: int | None, words: str
):
    errors = renderer.events(code, 2.0).errors

    assert errors[0].kind == kind
    assert words in errors[0].message
    assert line is None or errors[0].line == line


def test_one_loop_fails_and_the_others_go_on(renderer: Renderer):
    code = """
live_loop :good do
  play 60
  sleep 0.5
end
live_loop :bad do
  sleep 0.6
  play 60 + nil
end
"""
    played = renderer.events(code, 2.0)

    assert len(times(played)) == 4
    (error,) = played.errors
    assert (error.line, error.thread) == (8, "live_loop_bad")


def test_a_sync_that_nobody_answers_ends_with_the_run(renderer: Renderer):
    played = renderer.events("play 60\nsync :never\nplay 62", 2.0)

    assert played.errors == ()
    assert len(played.events) == 1


def test_an_empty_program_is_silence(renderer: Renderer):
    rendering = renderer.render("", 1.0)

    assert rendering.events == ()
    assert rendering.errors == ()
    assert rendering.peak == 0.0
    assert rendering.audio.shape == (44_100, 2)


def test_a_program_of_ten_thousand_lines_is_played(renderer: Renderer):
    code = "\n".join(["play 60, release: 0.01", "sleep 0.0005"] * 5000)

    played = renderer.events(code, 3.0)

    assert played.errors == ()
    assert len(played.events) == 5000


@pytest.mark.parametrize(
    "code", ["play 60 # \ud800", "puts '\0'\nplay 60", "puts 'día ♪'\nplay 60"]
)
def test_odd_characters_do_no_harm(renderer: Renderer, code: str):
    played = renderer.events(code, 1.0)

    assert [error.kind for error in played.errors] == ["encoding"] or len(played.events) == 1


def test_what_a_program_says_is_in_the_log(renderer: Renderer):
    played = renderer.events('puts "hello", 3\nsleep 0.1\nprint :x\nsample :nosuch', 1.0)

    assert played.log[:2] == ('"hello" 3', ":x")
    assert "no match found" in played.log[2]


@pytest.mark.parametrize(
    "code",
    [
        "synth :cnoise, sustain: 1",
        "with_fx :reverb do\n 8.times { play rrand(40, 90), pan: rand; sleep 0.1 }\nend",
        "8.times { play 60 + Random.new.rand(12) + Time.now.usec % 3; sleep 0.1 }",
        "play SecureRandom.random_number(40) + 50",
        "a = [60, 64, 67].shuffle\n3.times { |i| play a[i] + Kernel.rand(3); sleep 0.1 }",
    ],
)
def test_two_runs_give_the_same_bytes(renderer: Renderer, code: str):
    first, second = renderer.render(code, 1.0), renderer.render(code, 1.0)

    assert first.peak > 0
    assert first.events == second.events
    assert first.audio.tobytes() == second.audio.tobytes()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_impossible_lengths_are_refused(renderer: Renderer, seconds: float):
    with pytest.raises(ValueError, match="seconds must be in"):
        renderer.render("play 60", seconds)


def test_a_server_that_was_closed_starts_again(renderer: Renderer):
    renderer.close()

    assert len(renderer.events("play 60", 1.0).events) == 1


@pytest.mark.usefixtures("needs_sonic_pi")
def test_a_pool_gives_results_in_the_order_of_the_programs():
    pool = RendererPool(2)
    with pool:
        notes = [
            played.events[0].arguments["note"]
            for played in pool.events((f"play {note}" for note in range(60, 70)), 0.5)
        ]
    assert notes == list(range(60, 70))


def test_a_pool_needs_a_worker():
    with pytest.raises(ValueError, match="n_workers must be at least 1"):
        RendererPool(0)
