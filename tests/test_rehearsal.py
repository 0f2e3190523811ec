"""A whole rehearsal with the twins: the demo's guide in, the band's answer out, at full speed."""

import json
import shutil
import threading

import numpy as np
import pytest
import soundfile
import yaml
from scipy.ndimage import maximum_filter1d

from actors.fast_band import FastBand
from actors.journal import JournalReader
from actors.parts import build_labeller, build_stage_memory
from actors.report.report import report_from_run
from agents.messages import SILENCE, Fragment, HeardLabel, Heartbeat, Plan, Played, Tick
from launch.config import PROJECT_ROOT
from models.bundle import CARD_FILE

WAVS = ("input.wav", "accompaniment.wav", "mix.wav")
SECONDS, WINDOWS = 12.0, 48
REPORTED = {
    "windows", "window_seconds", "pace", "seed", "isr", "isrw", "staleness_mean", "anticipation",
    "misses", "underruns", "reaction_ms", "stages_ms", "stream_ms", "restarts", "labels_in",
    "labels_out", "segments", "finished",
}  # fmt: skip


class Run:
    """A finished run: its folder, figures and messages."""

    def __init__(self, config, stop=None):
        FastBand(config).run(stop or threading.Event())
        report_from_run(config.out, finished=True)
        self.config, self.out = config, config.out
        self.report = json.loads((config.out / "report.json").read_text("utf-8"))
        with JournalReader(config.out / "journal.sqlite") as journal:
            self.messages = [envelope.message for envelope in journal.read()]

    def sound(self, name):
        samples, _ = soundfile.read(self.out / name, dtype="float32", always_2d=True)
        return samples

    def bytes(self):
        return [(self.out / name).read_bytes() for name in WAVS]

    def of(self, kind):
        return {m.window: m for m in self.messages if isinstance(m, kind)}


@pytest.fixture(scope="module")
def rehearse(demo_stage, tmp_path_factory):
    def play(stop=None, **options):
        out = tmp_path_factory.mktemp("run")
        return Run(demo_stage(out, **{"seconds": SECONDS, "seed": 5, **options}), stop)

    return play


@pytest.fixture(scope="module")
def run(rehearse):
    return rehearse()


def lonely_steps(samples):
    """Each step of a sound, relative to the largest one 3 to 41 samples away on either side.

    A cut stands alone among its neighbours; a struck string does not.
    """
    step = np.abs(np.diff(samples))
    around = maximum_filter1d(step, 38)
    beside = np.maximum(np.roll(around, 22), np.roll(around, -22)) + 0.003
    return (step / beside)[64:-64]


def test_two_rehearsals_with_one_seed_are_the_same_bytes(run, rehearse):
    assert rehearse().bytes() == run.bytes()


def test_another_seed_plays_something_else_to_the_same_guide(run, rehearse):
    other = rehearse(seed=6)
    assert other.bytes()[0] == run.bytes()[0]
    assert other.report["labels_in"] == run.report["labels_in"]
    assert other.report["segments"] != run.report["segments"]
    assert other.bytes()[1] != run.bytes()[1]


def test_every_window_with_a_segment_sounds_and_rests_are_silent(run):
    sound, grid = run.sound("accompaniment.wav"), run.config.grid
    played = run.of(Played)
    fade = 441  # a join may reach this far into the next window
    levels = {
        k: np.abs(sound[grid.boundary(k) + fade : grid.boundary(k + 1) - fade]).max()
        for k in range(WINDOWS)
    }
    assert sum(played[k].segment >= 0 for k in range(WINDOWS)) > WINDOWS / 3
    for k in range(WINDOWS - 1):  # the last one fades out
        assert (levels[k] > 1e-4) == (played[k].segment >= 0), k


def test_joins_are_no_clicks(run):
    heard = run.sound("accompaniment.wav")[:, 0]
    memory = [soundfile.read(path)[0] for path in run.config.memory]
    explained = max(lonely_steps(samples).max() for samples in memory)
    assert lonely_steps(heard).max() <= 1.25 * explained
    cut = heard.copy()
    at = int(np.argmax(np.abs(heard)))
    cut[at : at + 2000] = 0
    assert lonely_steps(cut).max() > 1.25 * explained  # the measure would have found one


def test_the_sound_is_finite_and_below_the_ceiling(run):
    ceiling = 10 ** (run.config.engine.limiter.ceiling_db / 20)
    for name in WAVS:
        sound = run.sound(name)
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() <= ceiling + 1 / 32768
        assert len(sound) >= run.config.grid.boundary(WINDOWS)


def test_the_end_fades_out(run):
    end = run.config.grid.boundary(WINDOWS)
    heard = run.sound("accompaniment.wav")
    assert not heard[end - 4 :].any()
    assert np.abs(heard[end - 2000 : end]).max() < 0.06


def test_the_journal_holds_every_window(run):
    assert sorted(run.of(Tick)) == list(range(1, WINDOWS + 1))
    assert sorted(run.of(Played)) == list(range(WINDOWS))
    assert {m.role for m in run.messages if isinstance(m, Heartbeat)} == {
        "perception", "decision", "action",
    }  # fmt: skip
    lost = [m for m in run.messages if isinstance(m, Heartbeat) and m.lost + m.dropped]
    assert not lost


def test_the_report_says_what_was_promised(run):
    report = run.report
    assert report.keys() >= REPORTED
    assert (report["windows"], report["seed"], report["pace"]) == (WINDOWS, 5, "fast")
    assert report["reaction_ms"].keys() >= {"p50", "p95", "p99", "max"}
    assert set(report["stages_ms"]) == {"perception", "decision", "action"}
    assert all(stage["p50"] > 0 for stage in report["stages_ms"].values())
    assert report["stream_ms"].keys() >= {"p50", "p99"}
    assert (report["misses"], report["isrw"], report["restarts"]) == (0, 1.0, 0)
    for name in ("labels_in", "labels_out", "segments"):
        assert len(report[name]) == WINDOWS


def test_what_sounds_is_what_was_decided_or_the_nearest_or_goes_on_until_an_attack(run):
    plans, played = run.of(Plan), run.of(Played)
    for window in range(1, WINDOWS):
        assert played[window].wanted == plans[window].labels[0]
        if played[window].reason not in ("nearest", "hold"):
            assert played[window].label == played[window].wanted
    assert len({p.label for p in played.values()} - {SILENCE}) > 5


def test_reaction_costs_no_time_at_fast_pace_but_the_block_it_waits_for(run):
    block = run.config.audio.block_seconds
    answered = [p.reaction_seconds for p in run.of(Played).values() if p.window]
    assert None not in answered
    assert max(answered) <= 2 * block


def test_a_run_of_two_windows_and_a_bit_is_whole(rehearse):
    short = rehearse(seconds=0.6)
    assert short.report["windows"] == 2
    assert len(short.sound("mix.wav")) >= 0.6 * 44_100


def test_a_run_that_is_stopped_fades_out(rehearse, run):
    stopped = StopsAfter(30 * 44)
    early = rehearse(stopped)
    heard, whole = early.sound("accompaniment.wav"), run.sound("accompaniment.wav")
    assert len(heard) < len(whole) - 44_100
    begin = stopped.calls * 256
    assert np.array_equal(heard[: begin - 256], whole[: begin - 256])
    assert 0.28 < (len(heard) - begin) / 44_100 < 0.34
    assert np.abs(heard[begin : begin + 4000]).max() > 0.01
    assert not heard[-2:].any()
    assert lonely_steps(heard[:, 0]).max() < 3.4


def test_a_key_normalised_bundle_plays_in_the_rotation_of_the_guide(rehearse, tmp_path):
    bundle = tmp_path / "keyed"
    shutil.copytree(PROJECT_ROOT / "models" / "bundles" / "default", bundle)
    card = yaml.safe_load((bundle / CARD_FILE).read_text("utf-8"))
    key = {"changes_per_minute": 20.0, "margin": 0.0}  # restless
    card |= {"key_normalised": True, "key": key}
    (bundle / CARD_FILE).write_text(yaml.safe_dump(card), "utf-8")
    keyed = rehearse(bundle=bundle, seconds=10.0)
    heard, plans = keyed.of(HeardLabel), keyed.of(Plan)
    assert len({label.rotation for label in heard.values()}) > 2
    assert all(plans[k + 1].rotation == heard[k].rotation for k in heard if k + 1 in plans)
    labels = build_stage_memory(keyed.config, build_labeller(keyed.config)).labels
    fragments = [m for m in keyed.messages if isinstance(m, Fragment) and m.segment >= 0]
    assert all(f.label == labels[f.rotation, f.segment] for f in fragments)
    chosen = [f for f in fragments if f.reason != "hold"]
    assert all(f.label == f.wanted for f in chosen)  # the mask turns too
    assert keyed.report["misses"] == 0


class StopsAfter(threading.Event):
    """A stop that comes by itself when it has been asked for often enough, once per block."""

    def __init__(self, n_blocks):
        super().__init__()
        self.left, self.calls = n_blocks, 0

    def is_set(self):
        self.left -= 1
        self.calls += self.left >= 0
        return self.left <= 0
