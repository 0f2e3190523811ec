"""The stage with code ranking, for real: Ray, ZeroMQ, OSC, a listener in Sonic Pi's place."""

import contextlib
import json
import os
import queue
import signal
import socket
import sqlite3
import subprocess
import sys
import threading

import psutil
import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from actors.clock import SystemClock
from actors.priority import FAR_BEHIND
from launch.config import PROJECT_ROOT

pytestmark = [pytest.mark.ray, pytest.mark.slow]

PATIENCE = 240  # a busy machine starts six processes slowly
CONTEXT = "use_bpm 100\nlive_loop :drums do\n  sample :bd_haus\n  sleep 1\nend\n"
CANDIDATES = (
    "live_loop :mel do\n  synth :prophet, note: :c3\n  sleep 0.25\nend",
    "live_loop :pad do\n  synth :hollow, note: :e3, sustain: 2\n  sleep 4\nend",
)


class Ear:
    """A UDP port of this machine and the OSC messages that come to it."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.came = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                self.came.put(OscMessage(self._socket.recv(65_536)))

    def say(self, port, address, *arguments):
        builder = OscMessageBuilder(address)
        for argument in arguments:
            builder.add_arg(argument)
        self._socket.sendto(builder.build().dgram, ("127.0.0.1", port))

    def hear(self, address, seconds=PATIENCE):
        """The first message to `address`."""
        until = SystemClock().now() + seconds
        while True:
            message = self.came.get(timeout=max(0.01, until - SystemClock().now()))
            if message.address == address:
                return message.params

    def close(self):
        self._socket.close()


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def ears():
    pair = Ear(), Ear()
    yield pair
    for ear in pair:
        ear.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, memory_cache, ears):
    """A stage that is asked to rank, loses its ranking process, ranks again, plays and ends."""
    out = tmp_path_factory.mktemp("stage") / "run"
    desk, sonic_pi = ears
    code_port = free_port(socket.SOCK_DGRAM)
    settings = {
        "streams.publish_port": free_port(),
        "streams.subscribe_port": free_port(),
        "osc": "null",
        "cache": memory_cache,
        "audio.output": "null",
        "code_ranking.enabled": "true",
        "code_ranking.agent.runs_programs": "false",
        "code_ranking.desk.osc.port": code_port,
        "code_ranking.desk.reply_port": desk.port,
        "code_ranking.desk.sonic_pi.port": sonic_pi.port,
        "code_ranking.desk.sonic_pi.home": out,
    }
    options = [word for name, v in settings.items() for word in ("--set", f"{name}={v}")]
    command = [sys.executable, str(PROJECT_ROOT / "launch" / "stage.py"), "--seconds", "600"]
    with out.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--out", str(out), *options],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        seen = {"log": out.with_suffix(".log"), "ranked": rank_until_answered(desk, code_port)}
        pid = json.loads((out / "processes.json").read_text("utf-8"))["code_ranking"]
        seen["nice"] = max(os.getpriority(os.PRIO_PROCESS, t.id) for t in threads_of(pid))
        seen["policies"] = {os.sched_getscheduler(thread.id) for thread in threads_of(pid)}
        desk.say(code_port, "/antiphon/code/play", 1)
        seen["played"] = sonic_pi.hear("/run-code")
        os.kill(pid, signal.SIGKILL)
        seen["ranked again"] = rank_until_answered(desk, code_port)
        desk.say(code_port, "/antiphon/code/play", 1)
        sonic_pi.hear("/run-code")
        desk.hear("/antiphon/code/sent")
        process.send_signal(signal.SIGTERM)
        seen["exit"] = process.wait(PATIENCE)
        seen["report"] = json.loads((out / "report.json").read_text("utf-8"))
        with contextlib.closing(sqlite3.connect(out / "journal.sqlite")) as journal:
            query = "SELECT event FROM faults WHERE role = 'code_ranking'"
            seen["faults"] = [row[0] for row in journal.execute(query)]
        yield seen
    finally:
        if process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()


def threads_of(process_id):
    return psutil.Process(process_id).threads()


def rank_until_answered(desk, port):
    """The last answer to a ranking, which is asked for again until somebody listens."""
    until = SystemClock().now() + PATIENCE
    while SystemClock().now() < until:
        desk.say(port, "/antiphon/code/clear")
        desk.say(port, "/antiphon/code/context", CONTEXT)
        for code in CANDIDATES:
            desk.say(port, "/antiphon/code/candidate", code)
        desk.say(port, "/antiphon/code/rank", 1)
        with contextlib.suppress(queue.Empty):
            while not (ranked := desk.hear("/antiphon/code/ranked", seconds=5))[2]:
                pass
            return ranked
    raise AssertionError("the stage ranked nothing in time")


def test_code_that_comes_by_osc_is_ranked_and_the_ranking_goes_back(stage):
    request, mode, final, n_candidates, malformed, chosen = stage["ranked"]
    assert request.startswith("osc-")
    assert (mode, final, n_candidates, malformed) == ("diversity", 1, 2, 0)
    assert chosen in (1, 2)


def test_the_chosen_program_goes_to_sonic_pi_when_the_performer_says_so(stage):
    _, program = stage["played"]
    assert program == f"{CONTEXT.strip()}\n\n{CANDIDATES[stage['ranked'][5] - 1]}"


def test_ranking_stands_back_and_asks_for_no_real_time(stage):
    assert stage["nice"] == FAR_BEHIND
    assert stage["policies"] == {os.SCHED_OTHER}


def test_a_ranking_process_that_was_killed_comes_back_and_ranks_again(stage):
    assert stage["ranked again"][1:] == stage["ranked"][1:]
    assert stage["report"]["restarts_by_role"] == {"code_ranking": 1}
    assert "restart" in stage["faults"]


def test_the_music_goes_on_to_an_orderly_end_and_the_report_tells_of_it(stage):
    assert stage["exit"] == 0, stage["log"].read_text()[-3000:]
    assert stage["report"]["finished"]
    code = stage["report"]["code_ranking"]
    assert code["answered"] >= 2
    assert code["sent"]["sonic_pi"] >= 1
