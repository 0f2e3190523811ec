"""What people say: about what sounded, on disk before it is answered, and never in the way."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from actors.feedback_desk import (
    MOST_WAITING,
    FeedbackDesk,
    FeedbackDeskConfig,
    source_names,
)
from actors.streams.machinery_messages import Fault
from agents.messages import SILENCE, Feedback, MemoryChanged, Metric, Played, Tick
from agents.musical_time import TempoMap
from corpus.feedback_store import FeedbackConfig, FeedbackStore

ROOT = Path(__file__).resolve().parents[2]
WINDOW = 0.25
SOURCES = {0: "piano.ogg", 100: "oboe.ogg"}


class Evening:
    """A desk, and all that it says."""

    def __init__(self, store, **config):
        self.said, self.answers = [], []
        self.store = store
        self.desk = FeedbackDesk(
            store, SOURCES, WINDOW, FeedbackDeskConfig(**config), self.said.append
        )
        self.window = -1

    def play(self, *segments):
        """Segments for the coming windows; each ends, and the next begins."""
        for segment in segments:
            self.window += 1
            self.tick()
            played = Played(self.window, 0, 0, segment, "jump", 0, None, False, 0)
            self.desk.hear(played, (self.window + 1) * WINDOW)

    def tick(self, window=None):
        window = self.window if window is None else window
        moment = TempoMap().moment(window, window * WINDOW)
        self.desk.hear(Tick(window, moment, WINDOW), window * WINDOW)

    def say(self, verdict="like", about="", who="", seconds=None, later=0.0):
        seconds = (self.window + 1) * WINDOW if seconds is None else seconds
        said = Feedback(max(self.window, 0), verdict, "osc", about, who)
        self.desk.take(said, seconds, lambda *answer: self.answers.append(answer))
        self.desk.settle(seconds + later)

    def clip(self, name, first, event="added"):
        self.desk.hear(MemoryChanged(0, name, event, first, 40, ()), 0.0)

    @property
    def feedback(self):
        return [(m.verdict, m.about) for m in self.said if isinstance(m, Feedback)]

    @property
    def kept(self):
        return [(one.gesture, one.song) for one in self.store.history()]

    def count(self, what):
        found = [m.value for m in self.said if isinstance(m, Metric) and m.name == what]
        return found[-1] if found else 0


@pytest.fixture
def store(tmp_path):
    with FeedbackStore(tmp_path / "f.sqlite", FeedbackConfig(most_per_span=5)) as opened:
        yield opened


@pytest.fixture
def evening(store):
    return Evening(store)


def test_a_like_is_about_what_sounded_longest_while_the_hand_was_on_its_way(evening):
    evening.play(3, 4, 5, 6, 100, 101)
    evening.say(seconds=1.5)
    assert evening.feedback == [("like", "piano.ogg")]
    evening.play(102, 103, 104, 105)
    evening.say(seconds=2.5)
    assert evening.feedback[-1] == ("like", "oboe.ogg")
    assert evening.kept == [("like", "piano.ogg"), ("like", "oboe.ogg")]


def test_what_sounds_now_is_waited_for_until_its_window_has_ended(evening):
    evening.play(*[SILENCE] * 4)
    evening.tick(4)
    evening.say(seconds=1.1)
    assert evening.answers == []
    evening.play(7)
    evening.desk.settle(1.25)
    assert evening.feedback == [("like", "piano.ogg")]


def test_a_window_that_is_never_told_is_not_waited_for_long(evening):
    evening.play(7)
    evening.tick(1)
    evening.say(seconds=0.3)
    assert evening.answers == []
    evening.desk.settle(0.3 + 4 * WINDOW)
    assert evening.feedback == [("like", "piano.ogg")]


def test_in_a_silence_it_is_about_what_has_just_ended(evening):
    evening.play(100, 101, *[SILENCE] * 12)
    evening.say("dislike")
    assert evening.feedback == [("dislike", "oboe.ogg")]


def test_about_nothing_is_refused_with_a_sentence(evening):
    evening.play(100, *[SILENCE] * 50)
    evening.say()
    assert evening.answers == [
        (False, "nothing has sounded in the last 10 s; say it when something does, or name a clip")
    ]
    assert evening.kept == []
    assert evening.count("feedback.refused") == 1


def test_nothing_is_acknowledged_before_it_is_on_disk(evening, tmp_path):
    evening.play(3)
    seen = []
    with FeedbackStore(tmp_path / "f.sqlite") as other:
        evening.desk.take(
            Feedback(0, "like", "osc"),
            0.25,
            lambda *_: seen.append(len(other.history())),
        )
        evening.desk.settle(0.3)
    assert seen == [1]


def test_a_named_clip_is_taken_by_its_name_and_an_unknown_one_is_refused(evening):
    evening.clip("clip 1", 200)
    evening.say(about="clip 1", seconds=0.0)
    evening.say(about="clip 9", seconds=0.0)
    assert evening.kept == [("like", "clip 1")]
    assert evening.answers[0] == (True, "like is kept, about clip 1")
    assert "must be one that this show has had, got 'clip 9'" in evening.answers[1][1]


def test_a_clip_that_is_gone_is_said_to_be_gone_and_the_verdict_is_kept(evening):
    evening.clip("clip 1", 200)
    evening.clip("clip 1", 200, "evicted")
    evening.say(about="clip 1", seconds=0.0)
    assert evening.answers == [
        (True, "like is kept, about clip 1; clip 1 is no longer in the memory")
    ]
    assert evening.kept == [("like", "clip 1")]


def test_back_takes_back_the_last_accepted_clip_and_then_the_one_before(evening):
    evening.clip("clip 1", 200)
    evening.clip("clip 2", 240)
    evening.say("back", seconds=0.0)
    evening.clip("clip 2", 240, "removed")
    evening.say("back", seconds=0.0)
    assert evening.feedback == [("back", "clip 2"), ("back", "clip 1")]
    evening.clip("clip 1", 200, "removed")
    evening.say("back", seconds=0.0)
    assert "no accepted clip to take back; the performer's sounds stay" in evening.answers[-1][1]


@pytest.mark.parametrize(("name", "why"), [("piano.ogg", "is no accepted"), ("old", "is gone")])
def test_only_an_accepted_clip_can_be_taken_back(evening, name, why):
    evening.clip("old", 200)
    evening.clip("old", 200, "evicted")
    evening.say("back", about=name, seconds=0.0)
    assert why in evening.answers[0][1]
    assert evening.feedback == []


def test_change_is_passed_on_at_once_even_when_nothing_sounds(evening):
    evening.say("change", seconds=0.0)
    assert evening.feedback == [("change", "")]
    assert evening.kept == [("change", "(nothing)")]


def test_contradictions_are_kept_and_the_newest_counts(evening, store):
    evening.play(3)
    for verdict in ("like", "dislike", "like", "dislike"):
        evening.say(verdict, who="ann")
    evening.say("like", who="ben")
    assert [(one.gesture) for one in store.current("ann")] == ["dislike"]
    assert [(one.gesture) for one in store.current("ben")] == ["like"]
    assert len(store.history()) == 5


def test_people_are_told_apart_without_their_names(evening):
    evening.play(3)
    evening.say(who="ann")
    evening.say(who="ben")
    evening.say()
    names = [m.who for m in evening.said if isinstance(m, Feedback)]
    assert len(set(names)) == 3
    assert not {"ann", "ben"} & set(names)


def test_a_flood_is_refused_and_counted_and_others_are_heard(evening):
    evening.play(3)
    for _ in range(9):
        evening.say(who="troll")
    evening.say(who="ann")
    assert [taken for taken, _ in evening.answers] == [True] * 5 + [False] * 4 + [True]
    assert evening.count("feedback.limited") == 4
    assert "wait a little" in evening.answers[6][1]


def test_more_than_may_wait_are_refused(evening):
    evening.tick(0)
    for _ in range(MOST_WAITING + 3):
        evening.say(seconds=0.1)
    assert [taken for taken, _ in evening.answers] == [False] * 3


def test_a_full_disk_is_said_and_the_music_is_led_all_the_same(evening, store):
    evening.clip("clip 1", 200)
    evening.play(3)
    store._database.execute("PRAGMA max_page_count = 1")
    for k in range(200):
        evening.say("change", who=f"{k}" * 20)
    assert "nothing was stored" in evening.answers[-1][1]
    assert len(evening.feedback) == 200
    faults = [m for m in evening.said if isinstance(m, Fault)]
    assert [fault.event for fault in faults] == ["alarm"]
    stored = sum(taken for taken, _ in evening.answers)
    assert stored == len(store.history()) < 200


def test_without_a_store_nothing_is_acknowledged():
    evening = Evening("f.sqlite must be a feedback store")
    evening.play(3)
    evening.say()
    assert evening.answers == [(False, "f.sqlite must be a feedback store")]


def test_what_waits_at_the_end_is_kept(evening, tmp_path):
    evening.play(3)
    evening.tick(1)
    evening.say(seconds=0.3)
    evening.desk.close()
    with FeedbackStore(tmp_path / "f.sqlite") as store:
        assert [one.song for one in store.history()] == ["piano.ogg"]


def test_files_of_one_name_are_told_apart_by_their_folders():
    paths = [Path("/m/one/piano.ogg"), Path("/m/two/piano.ogg"), Path("/m/oboe.ogg")]
    assert source_names(paths) == ["one/piano.ogg", "two/piano.ogg", "oboe.ogg"]


DESK = """
import sys
from pathlib import Path
from actors.clock import SystemClock
from actors.devices.osc import OscConfig, OscInput
from actors.feedback_desk import FeedbackDeskConfig, FeedbackOffice
from agents.messages import MemoryChanged
from corpus.feedback_store import FeedbackConfig
clock = SystemClock()
config = FeedbackDeskConfig(limits=FeedbackConfig(most_per_span=10**6))
office = FeedbackOffice(Path(sys.argv[1]), {0: "a"}, 0.25, config, lambda _: None, clock.now)
office.start()
osc = OscInput(OscConfig(port=0, messages_per_second=1000), office.take, lambda: 0, clock.now)
print(osc.start(), flush=True)
sys.stdin.read()
"""


def test_a_stage_killed_in_a_flood_of_likes_loses_none_that_it_acknowledged(tmp_path):
    path = tmp_path / "f.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", DESK, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    port = int(process.stdout.readline())
    acknowledged = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(10)
        wire.connect(("127.0.0.1", port))

        def send(k):
            builder = OscMessageBuilder("/antiphon/like")
            for text in ("a", f"phone {k}", str(k)):
                builder.add_arg(text)
            wire.send(builder.build().dgram)

        def answer():
            message = OscMessage(wire.recv(4096))
            assert message.address == "/antiphon/acknowledged", message.params
            acknowledged.add(int(message.params[0]))

        for k in range(40):
            send(k)
        for _ in range(20):
            answer()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        wire.settimeout(0.1)
        try:
            while True:
                answer()
        except OSError:
            pass  # nothing more was answered
    with FeedbackStore(path) as store:
        stored = {one.device for one in store.history()}
        assert {store.anonymous(f"phone {k}") for k in acknowledged} <= stored
        assert 20 <= len(acknowledged) <= len(stored) <= 40
