"""The rendering against the real Sonic Pi server, recorded under a JACK server without hardware.

Real time takes part: events of the real server land on blocks of a clock that drifts, so wave forms
do not match and log-mel spectra do. A busy machine (overruns) breaks the *real* side.
"""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from pythonosc.udp_client import SimpleUDPClient

from corpus.sonic_pi.install import Installation
from corpus.sonic_pi.renderer import Renderer

pytestmark = [pytest.mark.audio, pytest.mark.slow]

PROGRAMS = ["acid", "tilburg_2", "shufflit", "monday_blues"]
SECONDS = 12.0
SAMPLE_RATE = 44_100
HOP = 441
PORT = 4557
WARM_UP = "with_fx :reverb do\n 20.times { play 60, amp: 0; sleep 0.1 }\nend"
BOOTED = b"successfully booted"
AGREEMENT = 0.97


def wait(seconds: float) -> None:
    """Lets real time pass: the server under test plays in it."""
    threading.Event().wait(seconds)


@pytest.fixture(scope="module")
def installation(installed_sonic_pi: Installation) -> Installation:
    if shutil.which("jackd") is None:
        pytest.skip("the real server needs JACK: apt-get install jackd2")
    return installed_sonic_pi


@pytest.fixture(scope="module")
def server(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimpleUDPClient]:
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "JACK_NO_AUDIO_RESERVATION": "1"}
    jack = ["jackd", "-R", "-P", "60", "-S", "-n", "default", "-d", "dummy"]
    command = [installation.ruby, installation.server_folder / "bin/sonic-pi-server.rb", "-u"]
    processes = []
    try:
        for one in ([*jack, "-r", str(SAMPLE_RATE), "-p", "2048"], command):
            processes.append(
                subprocess.Popen(
                    one,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
            wait(1.0)
        if not booted(processes[1]):
            pytest.skip("the real Sonic Pi server did not start beside what runs here")
        client = SimpleUDPClient("127.0.0.1", PORT)
        client.send_message(
            "/run-code", ["test", WARM_UP]
        )  # the first notes after a start are late
        wait(4.0)
        yield client
    finally:
        for process in reversed(processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def booted(process: subprocess.Popen[bytes]) -> bool:
    """Whether the server says that it has started; keeps its output flowing afterwards."""
    seen = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if BOOTED in line:
                seen.set()

    threading.Thread(target=read, daemon=True).start()
    return seen.wait(60.0)


def recorded(server: SimpleUDPClient, code: str, out: Path) -> NDArray[np.float32]:
    server.send_message("/start-recording", ["test"])
    wait(0.5)
    server.send_message("/run-code", ["test", code])
    wait(SECONDS + 2.0)
    server.send_message("/stop-all-jobs", ["test"])
    wait(1.5)
    server.send_message("/stop-recording", ["test"])
    wait(1.0)
    server.send_message("/save-recording", ["test", str(out)])
    wait(1.5)
    return soundfile.read(out, dtype="float32", always_2d=True)[0]


def log_mel(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    mel = librosa.feature.melspectrogram(
        y=audio.mean(axis=1), sr=SAMPLE_RATE, n_mels=64, hop_length=HOP, n_fft=2048
    )
    return np.log(mel + 1e-6)


def agreement(fast: NDArray[np.float32], real: NDArray[np.float32]) -> float:
    """Correlation of log-mel spectra at the best shift of the recording."""
    ours, theirs = log_mel(fast), log_mel(real)
    n_frames = ours.shape[1]
    shifts = range(max(theirs.shape[1] - n_frames, 0) + 1)
    return max(
        float(np.corrcoef(ours.ravel(), theirs[:, s : s + n_frames].ravel())[0, 1]) for s in shifts
    )


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.usefixtures("needs_sonic_pi")
def test_the_rendering_sounds_like_the_real_server(
    server: SimpleUDPClient, installation: Installation, tmp_path: Path, name: str
):
    (file,) = installation.example_folder.glob(f"*/{name}.rb")
    code = file.read_text(encoding="utf-8")
    renderer = Renderer()
    with renderer:
        fast = renderer.render(code, SECONDS).audio

    real = recorded(server, code, tmp_path / "real.wav")

    assert agreement(fast, real) >= AGREEMENT
