"""Clips that enter the memory of a running band: the same ear, the same bytes each time."""

import threading

import numpy as np
import pytest
import soundfile

from actors.fast_band import FastBand
from actors.journal import JournalReader
from actors.parts import build_labeller, parts_of
from agents.messages import Clip, Feedback, Fragment, HeardLabel, MemoryChanged, Plan, Played
from launch.config import PROJECT_ROOT

SECONDS, CLIP_AT, GUIDE_AT, BACK_AT = 14.0, 4, 5, 45
DEMO = PROJECT_ROOT / "corpus/demo/audio"
N_SEGMENTS = 32


class Prompted:
    """The action agent, which is told at set windows what others would tell it."""

    def __init__(self, agent, folder):
        self._agent, self._told = agent, set()
        self._script = {
            CLIP_AT: Clip(CLIP_AT, "evolved", str(folder / "piano.wav"), 0.5),
            GUIDE_AT: Clip(GUIDE_AT, "guide", str(folder / "guide.wav"), 0.5),
            BACK_AT: Feedback(BACK_AT, "back", "osc", "evolved"),
        }

    def step(self, moment, inbox):
        for plan in [m for m in inbox if isinstance(m, Plan)]:
            if plan.window in self._script and plan.window not in self._told:
                self._told.add(plan.window)
                inbox = [self._script[plan.window], *inbox]
        return self._agent.step(moment, inbox)


class Run:
    def __init__(self, config, folder):
        agents = {name: part.build(config) for name, part in parts_of(config).items()}
        agents["action"] = Prompted(agents["action"], folder)
        FastBand(config, agents).run(threading.Event())
        self.sound = (config.out / "accompaniment.wav").read_bytes()
        with JournalReader(config.out / "journal.sqlite") as journal:
            self.messages = [envelope.message for envelope in journal.read()]

    def of(self, kind):
        return [message for message in self.messages if isinstance(message, kind)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two clips of eight seconds: a piano that answers well, and what is heard itself."""
    folder = tmp_path_factory.mktemp("clips")
    for name, source in (("piano", "call_and_answer/piano.ogg"), ("guide", "guide.ogg")):
        samples, rate = soundfile.read(DEMO / source)
        soundfile.write(folder / f"{name}.wav", samples[: 8 * rate], rate)
    return folder


@pytest.fixture(scope="module")
def runs(demo_stage, tmp_path_factory, folder):
    memory = [DEMO / "dorian_water/piano.ogg"]
    options = {"seconds": SECONDS, "seed": 5, "memory": memory, "transpose": 0}
    return [Run(demo_stage(tmp_path_factory.mktemp("run"), **options), folder) for _ in range(2)]


def test_a_clip_comes_sounds_and_is_taken_back(runs):
    added, guide, removed = runs[0].of(MemoryChanged)
    assert (added.event, added.window, added.n_segments) == ("added", CLIP_AT, N_SEGMENTS)
    assert (guide.event, guide.first_segment) == ("added", added.first_segment + N_SEGMENTS)
    assert (removed.event, removed.window) == ("removed", BACK_AT)
    segments = range(added.first_segment, added.first_segment + N_SEGMENTS)
    sounded = [p.window for p in runs[0].of(Played) if p.segment in segments]
    assert len(sounded) > 3
    assert min(sounded) >= CLIP_AT
    assert max(sounded) < BACK_AT


def test_two_runs_with_the_same_clips_are_the_same_bytes(runs):
    assert runs[0].sound == runs[1].sound


def test_a_clip_is_labelled_as_the_same_sound_is_heard_live(runs, demo_stage, tmp_path, folder):
    config = demo_stage(tmp_path / "run", seconds=SECONDS)
    samples, _ = soundfile.read(folder / "guide.wav", dtype="float32")
    labeller, boundaries = build_labeller(config), config.grid.boundaries(N_SEGMENTS)
    clip = labeller.label_track(samples, boundaries)
    in_rotation = labeller.label_in_all_rotations(samples, boundaries).labels
    live = [m.label for m in runs[0].of(HeardLabel)[:N_SEGMENTS]]
    assert np.asarray(clip.labels).tolist() == live
    first = runs[0].of(MemoryChanged)[1].first_segment
    segments = range(first, first + N_SEGMENTS)
    played = [f for f in runs[0].of(Fragment) if f.segment in segments]
    assert all(f.label == in_rotation[f.rotation, f.segment - first] for f in played)


def test_the_decision_is_told_what_can_be_played(runs):
    told = [set(changed.playable[0]) for changed in runs[0].of(MemoryChanged)]
    assert told[0] <= told[1]
    assert told[2] <= told[1]
