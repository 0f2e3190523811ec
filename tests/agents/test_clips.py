"""Evolved clips in the memory: what comes, what goes, and what stays as it was."""

import numpy as np
import pytest

from actors.side_work import OnTheSpot
from agents.action.agent import ActionAgent, ActionConfig
from agents.action.clips import Clips
from agents.action.memory import Memory
from agents.action.navigation import Navigator
from agents.action.passages import Passages
from agents.action.track import Track
from agents.messages import Clip, Feedback, Fragment, MemoryChanged, Plan
from agents.musical_time import TempoMap
from corpus.segmentation import WindowGrid, exact_seconds
from models.alphabet import SILENCE

GRID = WindowGrid(8000, exact_seconds(0.25))
N_LABELS = 6
DISTANCES = np.abs(np.subtract.outer(np.arange(N_LABELS), np.arange(N_LABELS))).astype(float)
OWN = [0, 1, 0, 1, 0, 1, 0, 1]


def track_of(labels, seed=0):
    n_segments = len(labels)
    samples = np.random.default_rng(seed).normal(0, 0.1, (GRID.boundary(n_segments), 1))
    zeros = np.zeros(n_segments, np.float32)
    return Track(
        samples.astype(np.float32),
        GRID.boundaries(n_segments),
        np.array([labels], np.int64),
        zeros[None],
        zeros - 20,
        zeros,
        np.zeros((n_segments, 4), np.float32),
    )


def index(memory):
    return [Passages(labels, memory.starts, DISTANCES) for labels in memory.labels]


class Band:
    """An action agent whose clips are known by the names of their files."""

    def __init__(self, tmp_path, files, **config):
        self.files, self.tmp_path, self.config = files, tmp_path, ActionConfig(**config)
        self.window = 0
        self.start()

    def start(self):
        memory = Memory([track_of(OWN)], GRID)
        clips = Clips(memory, self.hear, index, OnTheSpot(), self.tmp_path / "clips.json")
        navigator = Navigator(index(memory), self.config, seed=3, now=lambda: 0.0)
        self.agent = ActionAgent(memory, navigator, self.config, clips)

    def hear(self, path):
        if path.name not in self.files:
            raise OSError(f"{path} is not there")
        return track_of(self.files[path.name], seed=len(path.name))

    def say(self, *inbox):
        return self.agent.step(TempoMap().moment(0, 0.0), inbox)

    def offer(self, name):
        return [m for m in self.say(clip(name)) if isinstance(m, MemoryChanged)]

    def play(self, *labels, windows=8):
        """The fragments of a plan; the next one is `windows` later."""
        plan = Plan(self.window, labels, (1.0,) * len(labels))
        self.window += windows
        return [m for m in self.say(plan) if isinstance(m, Fragment)]


def clip(name):
    return Clip(0, name, f"/clips/{name}", 0.5)


@pytest.fixture
def band(tmp_path):
    files = {"a": [4, 5, 4, 5], "b": [3, 3, 2, 2], "c": [5, 5], "mute": [SILENCE] * 4}
    return Band(tmp_path, files, clip_seconds=2.0)


def test_a_clip_is_counted_after_the_performers_own_and_can_be_played(band):
    [told] = band.offer("a")
    assert (told.event, told.first_segment, told.n_segments) == ("added", 8, 4)
    assert told.playable == ((0, 1, 4, 5),)
    assert [f.segment for f in band.play(4, 5, 4, 5)] == [8, 9, 10, 11]


def test_before_it_came_and_after_it_went_the_nearest_is_played_instead(band):
    assert {f.label for f in band.play(5, 5)} == {1}
    band.offer("a")
    assert {f.label for f in band.play(5, 5)} == {5}
    band.say(Feedback(0, "back", "osc", "a"))
    assert {f.label for f in band.play(5, 5)} == {1}


def test_the_sound_of_a_clip_is_its_file(band):
    band.offer("a")
    fragment = band.play(4, 5, 4, 5)[0]
    lead = fragment.lead_samples
    expected = track_of(band.files["a"], seed=1).samples[:2000]
    played = fragment.samples[lead : lead + 2000]
    assert np.corrcoef(played[:, 0], expected[:, 0])[0, 1] > 0.999


def test_no_index_ever_changes(band):
    before = [band.agent._memory.cut(k, 5, 5) for k in range(8)]
    assert band.offer("a")[0].first_segment == 8
    band.say(Feedback(0, "back", "osc", "a"))
    assert band.offer("b")[0].first_segment == 12
    after = [band.agent._memory.cut(k, 5, 5) for k in range(8)]
    assert all(np.array_equal(x, y) for x, y in zip(before, after, strict=True))
    assert not band.agent._memory.cut(8, 5, 5).any()


def test_back_without_a_name_takes_the_last_and_never_the_performers_own(band):
    band.offer("a")
    band.offer("b")
    events = [band.say(Feedback(0, "back", "keys"))[0].clip for _ in range(2)]
    assert events == ["b", "a"]
    assert band.say(Feedback(0, "back", "keys")) == []
    assert [f.label for f in band.play(0, 1)] == [0, 1]


def test_what_was_foreseen_from_a_clip_that_is_gone_is_chosen_anew(band):
    band.offer("a")
    band.play(0, 4, 5, 4, windows=1)
    band.say(Feedback(0, "back", "osc", "a"))
    fragments = band.play(4, 5, 4, 5)
    assert len(fragments) == 4
    assert all(f.segment < 8 and len(f.samples) for f in fragments)


def test_the_oldest_goes_when_there_is_no_room(band):
    band.offer("a")
    band.offer("b")
    events = [(m.event, m.clip) for m in band.offer("c")]
    assert events == [("evicted", "a"), ("added", "c")]


@pytest.mark.parametrize(
    ("said", "goes"),
    [
        ([("like", "a", "ann")], "b"),
        ([("like", "a", "ann"), ("dislike", "a", "ann")], "a"),
        ([("dislike", "b", "ann")], "b"),
        ([("approve", "a", "ann"), ("like", "b", "ben"), ("like", "b", "eve")], "b"),
        ([("like", "a", "ann"), ("dislike", "a", "ben"), ("dislike", "a", "eve")], "a"),
    ],
)
def test_the_least_liked_goes_first_and_the_approved_last(band, said, goes):
    band.offer("a")
    band.offer("b")
    band.say(*[Feedback(0, verdict, "osc", about, who) for verdict, about, who in said])
    assert band.offer("c")[0].clip == goes


@pytest.mark.parametrize(
    ("name", "why"), [("gone", "is not there"), ("mute", "it is silent"), ("long", "2 s long")]
)
def test_what_cannot_be_used_is_refused_with_a_sentence_and_nothing_changes(band, name, why):
    band.files["long"] = [1] * 9
    band.offer("a")
    [told] = band.offer(name)
    assert told.event == "refused"
    assert why in told.detail
    assert told.playable == ((0, 1, 4, 5),)


def test_a_clip_offered_twice_is_taken_once(band):
    band.offer("a")
    assert band.offer("a") == []


def test_no_room_at_all_refuses_everything(tmp_path):
    band = Band(tmp_path, {"a": [4]}, clip_seconds=0.0)
    assert band.offer("a")[0].event == "refused"


def test_after_a_restart_the_clips_are_where_they_were(band):
    band.offer("a")
    band.offer("b")
    band.say(Feedback(0, "like", "osc", "a", "ann"))
    band.say(Feedback(0, "back", "osc", "b"))
    band.start()
    band.agent.restore([clip("a"), clip("b"), Feedback(0, "back", "osc", "b")])
    assert [f.segment for f in band.play(4, 5, 4, 5)] == [8, 9, 10, 11]
    assert {f.label for f in band.play(3, 3)} == {4}
    [told] = band.offer("c")
    assert (told.event, told.first_segment) == ("added", 16)


def test_a_clip_offered_while_it_was_away_is_taken_up(band):
    band.offer("a")
    band.start()
    band.agent.restore([clip("a"), clip("c")])
    assert [(m.event, m.clip) for m in band.say(Plan(0, (0,), (1.0,)))[:1]] == [("added", "c")]


def test_a_clip_whose_file_is_gone_leaves_its_place_silent(band):
    band.offer("a")
    band.offer("b")
    del band.files["a"]
    band.start()
    assert band.play(3)[0].segment in (12, 13)
    assert band.play(4)[0].label == 3


def test_a_damaged_book_is_forgotten_and_the_music_goes_on(band, caplog):
    band.offer("a")
    (band.tmp_path / "clips.json").write_text("[{")
    band.start()
    assert band.play(0)[0].segment < 8
    assert "its clips are forgotten" in caplog.text


def test_a_book_that_cannot_be_written_is_done_without(tmp_path, caplog):
    band = Band(tmp_path / "nowhere", {"a": [4]}, clip_seconds=2.0)
    assert band.offer("a")[0].event == "added"
    assert "a restart forgets" in caplog.text


def test_a_hundred_clips_through_a_small_memory_keep_it_small(tmp_path):
    files = {f"clip {k}": [k % N_LABELS] * 4 for k in range(100)}
    band = Band(tmp_path, files, clip_seconds=3.0)
    for name in files:
        band.offer(name)
    sizes = [track.samples.nbytes for track in band.agent._memory._tracks[1:]]
    assert sum(size > 0 for size in sizes) == 3
    assert band.play(99 % N_LABELS)[0].segment in range(8 + 4 * 93, 8 + 4 * 100)
