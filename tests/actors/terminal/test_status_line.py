"""The terminal's few lines: what they say, and that they fit."""

import errno
import io
import logging
import os

import numpy as np
import pytest
from rich.console import Console

from actors.streams.machinery_messages import Fault
from actors.terminal.display import Display, LogToDisplay, StageConsole
from actors.terminal.start_up import StartUp
from actors.terminal.status_line import StatusLine
from agents.messages import (
    SILENCE,
    CodeRanked,
    CodeSent,
    Control,
    HeardLabel,
    Metric,
    Played,
    Tick,
)
from agents.musical_time import Moment


class TestClock:
    """Seconds that move when told."""

    __test__ = False

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


def heard(label=5, energy_db=-18.0):
    return HeardLabel(9, label, 0.3, energy_db, 0.1, -18.0)


def played(window=10, label=12, reason="jump", reaction=0.0138, underruns=0):
    return Played(window, label, label, 341, reason, 0, reaction, True, underruns)


def missed(window=10):
    return Played(window, SILENCE, SILENCE, SILENCE, "missed", 0, None, False, 0)


def status(*messages, **options):
    line = StatusLine(window_seconds=0.25, **options)
    for message in messages:
        line.take(message)
    return line


def seen(shown, width=80, terminal=False, **options):
    """What a terminal of this width shows, as text."""
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=terminal, **options)
    console.print(shown.render())
    return screen.getvalue()


def test_a_window_shows_what_was_heard_what_was_played_and_why():
    text = seen(status(heard(5), played(label=12, reason="jump"), n_windows=480))
    assert "window 10/480" in text
    assert "heard   5" in text
    assert "played  12" in text
    assert "jump" in text
    assert "#341" in text
    assert "13.8 ms" in text


def test_the_tick_moves_time_on():
    text = seen(status(Tick(250, Moment(250, 62.5, 125.0, 120.0), 0.0625)))
    assert "1:02.5" in text
    assert "window 250" in text


def test_misses_underruns_and_restarts_are_counted():
    line = status(
        played(1, underruns=2), missed(2), missed(3), Fault(3, "decision", "restart", "back again"),
        Fault(3, "decision", "crash", "signal 9"),
    )  # fmt: skip
    assert (line.misses, line.underruns, line.restarts) == (2, 2, 1)
    assert "missed 2  underruns 2" in seen(line)
    assert "restarts 1" in seen(line)


def ranked(final=True, order=(3, 0), errors=(), malformed=0):
    tiers = ("heard", "static")[: len(order)]
    return CodeRanked(
        9, "osc-1", "diversity", "", ("a", "b", "c", "d"), order, (2.0, 1.0)[: len(order)], tiers,
        order, errors, malformed, final,
    )  # fmt: skip


def test_the_last_ranking_is_shown_with_its_places_and_where_one_went():
    text = seen(status(ranked(final=False)))
    assert "diversity of 4  1: #4 heard  2: #1 static …" in text
    line = status(ranked(malformed=2), CodeSent(9, "osc-1", 3, "sonic_pi", "port 4557")).line()
    assert "2: #1 static  2 malformed  #4 → sonic pi" in line


def test_why_nothing_could_be_ranked_is_shown():
    assert "a newer one came" in seen(status(ranked(order=(), errors=("a newer one came",))))


def test_the_last_fault_is_told():
    text = seen(status(Fault(96, "decision", "crash", "its process died")))
    assert "decision in window 96: its process died" in text


def test_the_99th_percentile_is_the_reaction_that_99_of_100_answers_kept():
    line = status(*(played(k, reaction=k / 1000) for k in range(1, 101)))
    assert line.reaction_p99_seconds == pytest.approx(0.099)
    assert status(missed()).reaction_p99_seconds is None


def test_before_the_first_message_nothing_is_claimed():
    text = seen(status())
    assert "heard   –" in text
    assert "reaction" in text
    assert "missed 0" in text


@pytest.mark.parametrize(
    ("reaction", "colour"), [(0.06, "\x1b[32m"), (0.2, "\x1b[33m"), (0.3, "\x1b[31m")]
)
def test_reactions_are_green_within_the_budget_then_yellow_then_red(reaction, colour):
    text = seen(status(played(reaction=reaction)), terminal=True, color_system="standard")
    assert f"{colour}{1000 * reaction:.1f} ms" in text


def test_levels_follow_the_sound():
    loud = status(heard(energy_db=-6.0), Metric(3, "audio.peak", 0.5))
    assert seen(loud).count("-6 dB") == 2
    silent = status(heard(SILENCE, energy_db=-np.inf), Metric(3, "audio.peak", 0.0))
    assert seen(silent).count("– dB") == 2


def test_messages_that_show_nothing_change_nothing():
    assert seen(status(Control(1, "decision.top_p", 0.8))) == seen(status())


@pytest.mark.parametrize("width", [30, 80, 200])
def test_no_line_is_wrapped_or_wider_than_the_terminal(width):
    line = status(heard(255), played(123456, 255, "continuation"), missed(123457),
                  Fault(5, "perception", "malformed", "x" * 300), n_windows=123999)  # fmt: skip
    lines = seen(line, width=width).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= width


def test_everything_but_the_fault_fits_in_80_columns():
    line = status(
        heard(255), played(123456, 255, "continuation", reaction=12.3456), n_windows=123999
    )
    assert seen(line, width=80) == seen(line, width=200)


def test_a_window_of_no_length_is_refused():
    with pytest.raises(ValueError, match="window_seconds must be above 0"):
        StatusLine(window_seconds=0)


def test_start_up_shows_each_step_with_its_seconds():
    clock = TestClock()
    start = StartUp(clock)
    start.begin("starting Ray")
    clock.seconds = 3.5
    start.begin("labelling memory")
    start.tell("34 of 120 files")
    clock.seconds = 5.0
    lines = seen(start).splitlines()
    assert lines[0].split() == ["✓", "starting", "Ray", "3.5", "s"]
    assert lines[1].split() == ["…", "labelling", "memory", "1.5", "s", "34", "of", "120", "files"]
    start.done()
    clock.seconds = 99.0
    assert start.seconds == 5.0
    assert start.line() == "labelling memory done in 1.5 s: 34 of 120 files"


def test_a_failed_step_says_why():
    start = StartUp(TestClock())
    start.begin("loading bundle")
    start.fail("bundle.yaml is missing")
    assert "✗ loading bundle" in seen(start)
    assert start.line() == "loading bundle failed in 0.0 s: bundle.yaml is missing"


def test_telling_of_a_step_that_does_not_run_is_refused():
    start = StartUp(TestClock())
    with pytest.raises(RuntimeError, match="call begin"):
        start.tell("half way")


def test_only_a_step_that_runs_can_fail_or_be_dropped():
    start = StartUp(TestClock())
    start.begin("one")
    start.done()
    start.fail("late")
    start.drop()
    assert [step.name for step in start.steps] == ["one"]
    start.begin("playing")
    assert start.line() == "playing …"
    start.drop()
    assert [step.name for step in start.steps] == ["one"]
    assert start.line() == ""


def test_a_plain_line_says_that_a_step_began_whatever_it_tells():
    start = StartUp(TestClock())
    start.begin("labelling memory")
    start.tell("1 of 3")
    assert start.line() == "labelling memory …"


def test_a_plain_line_tells_the_last_fault():
    line = status(Fault(96, "decision", "crash", "its process died"))
    assert "decision in window 96: its process died" in line.line()


class Gone(io.StringIO):
    """Takes nothing any more."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, *_):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO, errno.ENOSPC])
def test_a_closed_pipe_a_lost_terminal_or_a_full_log_ends_the_talk_not_the_show(number):
    display = Display(status(played()), console=StageConsole(file=Gone(number)))
    display.refresh(now=True)
    display.say("the show goes on")
    assert display.console.quiet


def test_a_warning_of_the_log_is_said_once():
    screen = io.StringIO()
    handler = LogToDisplay(Display(status(), console=Console(file=screen)))
    for _ in range(2):
        handler.handle(logging.makeLogRecord({"msg": "%s is full", "args": ("it",)}))
    assert screen.getvalue() == "note: it is full\n"


def test_without_a_terminal_a_plain_line_comes_now_and_then():
    screen, clock = io.StringIO(), TestClock()
    line = StatusLine(window_seconds=0.25, n_windows=400)
    with Display(line, console=Console(file=screen), line_seconds=10.0, clock=clock) as display:
        for window in range(100):
            clock.seconds = 0.25 * window
            line.take(played(window))
            display.refresh()
    lines = screen.getvalue().splitlines()
    assert [text.split(" · ")[0] for text in lines] == [
        "0:00.0 window 0/400", "0:10.0 window 40/400", "0:20.0 window 80/400",
        "0:24.8 window 99/400"]  # fmt: skip
    assert "– → 12 jump · reaction 13.8 ms, p99 13.8 ms · missed 0" in lines[0]
    assert "\x1b" not in screen.getvalue()


def test_a_log_that_knows_no_arrows_gets_question_marks_for_them():
    log = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    with Display(status(heard(5), played()), console=Console(file=log)):
        pass
    log.seek(0)
    assert "5 ? 12 jump" in log.read()


def test_on_a_terminal_it_is_drawn_in_place_and_left_behind():
    screen, clock = io.StringIO(), TestClock()
    line = StatusLine(window_seconds=0.25)
    console = Console(file=screen, force_terminal=True, width=80)
    with Display(line, console=console, per_second=4, clock=clock) as display:
        line.take(played(1))
        display.refresh()
        line.take(played(2))
        display.refresh()  # a moment later: not drawn
        drawn = screen.getvalue()
        line.take(played(3))
    assert "window 1\x1b" in drawn
    assert "window 2\x1b" not in drawn
    assert "window 3\x1b" in screen.getvalue()


def test_intervals_of_no_length_are_refused():
    with pytest.raises(ValueError, match="must be above 0, got 0, 10"):
        Display(status(), per_second=0)
