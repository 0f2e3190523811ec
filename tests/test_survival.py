"""What a stage survives: real processes, real pace, `kill -9`, and signals from a person.

The stage is started as a person would start it, and observed through what it leaves on disk.
"""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import psutil
import pytest
import soundfile

from actors.clock import SystemClock
from launch.config import PROJECT_ROOT

pytestmark = pytest.mark.ray

KILLED = ("perception", "decision", "action", "broker")
BOTH = "action and who stands by"
WINDOW, HORIZON = 0.25, 4
START_SECONDS, BACK_SECONDS, END_SECONDS = 90.0, 5.0, 12.0
MISSED = ("missed", "unreported")


def wait_for(condition, seconds, what):
    """Whatever `condition` gives, as soon as that is true."""
    clock = SystemClock()
    until = clock.now() + seconds
    while not (found := condition()):
        assert clock.now() < until, f"within {seconds} s there must be {what}"
        clock.wait_until(clock.now() + 0.02)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stage:
    """A stage in processes of its own."""

    def __init__(self, out, cache, *arguments):
        settings = {
            "streams.publish_port": free_port(),
            "streams.subscribe_port": free_port(),
            "osc": "null",
            "cache": cache,
        }
        options = [word for name, v in settings.items() for word in ("--set", f"{name}={v}")]
        command = [sys.executable, str(PROJECT_ROOT / "launch" / "stage.py")]
        self.out, self.log = out, out.with_suffix(".log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--out", str(out), *options, *arguments],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def process_ids(self):
        path = self.out / "processes.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def standing_by(self):
        """The processes of the band that have no role."""
        band = {p.pid for p in self.family() if "RoleProcess" in p.name() + "".join(p.cmdline())}
        return band - set(self.process_ids().values())

    def kill_and_wait(self, role, *others):
        """Kill the process that has this role, and others, until the band answers again."""
        process_id = self.process_ids()[role]
        for each in (*others, process_id):
            os.kill(each, signal.SIGKILL)
        wait_for(lambda: self.process_ids()[role] != process_id, 15, f"another {role}")
        self.wait_until_answered(8, after=self.newest_window() + 1, seconds=20)

    def family(self):
        """All processes of the stage, Ray's own too."""
        try:
            me = psutil.Process(self.process.pid)
            return [me, *me.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def ask(self, query):
        """The first column of `query` on the journal; nothing while there is none."""
        path = self.out / "journal.sqlite"
        if not path.exists():
            return []
        try:
            database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            try:
                return [row[0] for row in database.execute(query)]
            finally:
                database.close()
        except sqlite3.OperationalError:
            return []

    def answered(self, after=-1):
        """The windows answered, of those later than `after`."""
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        return self.ask(
            "SELECT window FROM messages WHERE topic = 'played' AND "
            f"payload ->> 'reaction_seconds' IS NOT NULL AND window > {after}"
        )

    def newest_window(self):
        return max(self.ask("SELECT window FROM messages WHERE topic = 'tick'"))

    def wait_until_answered(self, n_windows, after=-1, seconds=START_SECONDS):
        wait_for(lambda: len(self.answered(after)) >= n_windows, seconds, "an answer")

    def result(self, seconds):
        """The exit code, and the report."""
        code = self.process.wait(seconds)
        return code, json.loads((self.out / "report.json").read_text("utf-8"))

    def end(self):
        """Leave nothing behind, however the test ended."""
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture(scope="module")
def start(tmp_path_factory, memory_cache):
    stages = []

    def begin(*arguments):
        stages.append(Stage(tmp_path_factory.mktemp("stage") / "run", memory_cache, *arguments))
        return stages[-1]

    yield begin
    for stage in stages:
        stage.end()


@dataclass
class Ordeal:
    """A run in which four processes were killed one after the other, then two at once.

    Args:
        code: exit code.
        report: what report.json says.
        killed_at: role → the newest window of the journal when it was killed; BOTH: when it was
            the action agent and the process that stands by.
        sound: the accompaniment, (frames,).
    """

    code: int
    report: dict
    killed_at: dict[str, int] = field(default_factory=dict)
    sound: np.ndarray | None = None

    def outage(self, role):
        """The windows without a fresh answer between this kill and the next."""
        begin = self.killed_at[role]
        end = min((at for at in self.killed_at.values() if at > begin), default=None)
        reactions = self.report["reaction_ms_per_window"][:end]
        return [k for k in range(begin, len(reactions)) if reactions[k] is None]


@pytest.fixture(scope="module")
def ordeal(start):
    stage, killed_at = start("--seconds", "50"), {}
    stage.wait_until_answered(16)
    for role in KILLED:
        killed_at[role] = stage.newest_window()
        stage.kill_and_wait(role)
    killed_at[BOTH] = stage.newest_window()
    stage.kill_and_wait("action", *wait_for(stage.standing_by, 15, "somebody who stands by"))
    code, report = stage.result(60)
    sound, _ = soundfile.read(stage.out / "accompaniment.wav", dtype="float32")
    return Ordeal(code, report, killed_at, sound[:, 0])


def test_a_run_in_which_processes_were_killed_ends_normally_and_counts_it(ordeal):
    assert ordeal.code == 0
    assert ordeal.report["finished"]
    assert ordeal.report["windows"] == 200
    assert ordeal.report["restarts_by_role"] == {**dict.fromkeys(KILLED, 1), "action": 3}
    assert ordeal.report["restarts"] == len(KILLED) + 2


@pytest.mark.parametrize("role", [*KILLED, BOTH])
def test_a_killed_process_is_back_and_answering(ordeal, role):
    outage = ordeal.outage(role)
    assert len(outage) * WINDOW <= BACK_SECONDS
    assert not outage or (outage[-1] - ordeal.killed_at[role]) * WINDOW <= BACK_SECONDS + WINDOW


@pytest.mark.parametrize("role", [*KILLED, BOTH])
def test_the_last_plan_covers_and_no_silence_is_longer_than_a_window_meanwhile(ordeal, role):
    first = next(iter(ordeal.outage(role)), ordeal.killed_at[role])
    covered = range(first, first + HORIZON - 1)
    reasons, segments = ordeal.report["reasons"], ordeal.report["segments"]
    assert not [k for k in covered if reasons[k] in MISSED]
    for k in covered:
        begin, end = round(k * WINDOW * 44_100) + 441, round((k + 1) * WINDOW * 44_100)
        assert segments[k] < 0 or np.abs(ordeal.sound[begin:end]).max() > 1e-4


def test_every_window_of_the_outages_is_accounted_for(ordeal):
    reasons, staleness = ordeal.report["reasons"], ordeal.report["staleness"]
    assert "unreported" not in reasons
    assert ordeal.report["misses"] == reasons.count("missed") > 0
    assert all(staleness[k] >= HORIZON for k in range(len(reasons)) if reasons[k] == "missed")
    assert ordeal.report["isrw"] < ordeal.report["isr"] < 1


@pytest.fixture(scope="module")
def fast(start):
    stage = start("--seconds", "16", "--pace", "fast", "--seed", "11")
    code, report = stage.result(START_SECONDS)
    assert code == 0
    return report


@dataclass
class Ending:
    """A run that was ended by SIGTERM after 15 s of music."""

    stage: Stage
    code: int
    report: dict
    seconds: float
    family: list


@pytest.fixture(scope="module")
def ended(start):
    stage, clock = start("--seconds", "120", "--seed", "11"), SystemClock()
    stage.wait_until_answered(60, seconds=START_SECONDS + 30)
    family = stage.family()
    asked = clock.now()
    stage.process.send_signal(signal.SIGTERM)
    code, report = stage.result(60)
    return Ending(stage, code, report, clock.now() - asked, family)


def test_real_pace_chooses_what_fast_pace_chooses(ended, fast):
    reactions = ended.report["reaction_ms_per_window"][:60]
    in_time = [k for k in range(1, 60) if reactions[k] is None or reactions[k] > 1000 * WINDOW]
    n = in_time[0] if in_time else 60  # until the machine was too busy to answer once
    assert n >= 20
    for name in ("labels_in", "labels_out", "segments", "reasons"):
        assert ended.report[name][:n] == fast[name][:n], name
    assert len(set(fast["segments"][:n])) > 5


def test_sigterm_ends_the_run_in_order_within_seconds(ended):
    assert ended.code == 0, ended.stage.log.read_text()[-3000:]
    assert ended.report["finished"]
    assert ended.seconds < END_SECONDS


def test_sigterm_fades_the_sound_out_and_leaves_whole_files(ended):
    sounds = [
        soundfile.read(ended.stage.out / f"{name}.wav", dtype="float32")[0]
        for name in ("input", "accompaniment", "mix")
    ]
    assert len({len(sound) for sound in sounds}) == 1
    assert len(sounds[0]) >= 15 * 44_100
    assert not sounds[1][-2:].any()
    assert (ended.stage.out / "report.html").stat().st_size > 10_000
    assert not list(ended.stage.out.glob("*.part"))
    assert ended.stage.process_ids() == {}


def test_no_process_is_left_behind(ended):
    assert len(ended.family) > 7
    gone, alive = psutil.wait_procs(ended.family, timeout=10)
    assert not alive
    assert len(gone) == len(ended.family)


def test_a_stage_that_is_killed_itself_takes_its_band_along(start):
    stage = start("--seconds", "60")
    wait_for(stage.process_ids, START_SECONDS, "a band")
    # Ray's two agents only look about them now and then, and touch nothing of ours
    family = [process for process in stage.family() if "Agent" not in process.name()]
    stage.process.kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive


def test_ctrl_c_while_the_band_starts_leaves_nothing_behind(start):
    stage = start("--seconds", "60")
    wait_for(lambda: len(stage.family()) > 5, START_SECONDS, "a part of the band")
    family = stage.family()
    os.killpg(stage.process.pid, signal.SIGINT)  # as a terminal does
    assert stage.process.wait(30) == 130
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
