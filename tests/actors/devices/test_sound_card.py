"""The sound card: sentences for what is missing, and a real duplex run on a JACK dummy server."""

import builtins
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from actors.devices.audio import AudioDeviceConfig, DeviceError
from actors.devices.sound_card import SoundCard, choose, list_devices

CLOCK = SimpleNamespace(now=lambda: 0.0, wait_until=lambda _: None)


def test_a_missing_portaudio_is_one_sentence(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *arguments, **options):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real_import(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DeviceError, match="install libportaudio2 and sounddevice") as caught:
        SoundCard(AudioDeviceConfig(), CLOCK)
    assert "\n" not in str(caught.value)


class PortAudio:
    """Stands for the sounddevice module: two cards, one of them mono."""

    class PortAudioError(Exception):
        pass

    cards = (
        {"index": 0, "name": "Mono Mic", "hostapi": 0, "max_input_channels": 1,
         "max_output_channels": 0, "default_samplerate": 48000.0},
        {"index": 1, "name": "Speaker", "hostapi": 0, "max_input_channels": 0,
         "max_output_channels": 2, "default_samplerate": 44100.0},
    )  # fmt: skip

    def query_hostapis(self):
        return ({"name": "ALSA"},)

    def query_devices(self, device=None, kind=None):
        if kind is None:
            return self.cards
        for card in self.cards:
            fits = device is None or device == card["index"] or str(device) in card["name"]
            if fits and card[f"max_{kind}_channels"]:
                return card
        raise ValueError(f"No {kind} device matching {device!r}")

    def Stream(self, **_options):  # noqa: N802 - PortAudio's name
        raise self.PortAudioError("Invalid sample rate [PaErrorCode -9997]\nmore")


@pytest.fixture
def portaudio(monkeypatch):
    module = PortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


@pytest.mark.usefixtures("portaudio")
def test_devices_are_listed_with_what_is_needed_to_choose():
    mic, speaker = list_devices()
    assert (mic.index, mic.name, mic.host_api, mic.inputs) == (0, "Mono Mic", "ALSA", 1)
    assert (speaker.outputs, speaker.sample_rate) == (2, 44100.0)


@pytest.mark.usefixtures("portaudio")
def test_a_mono_microphone_will_do_for_a_stereo_band():
    assert choose("Mono", "input", 2) == (0, 1)


@pytest.mark.usefixtures("portaudio")
def test_too_few_loudspeakers_are_refused():
    with pytest.raises(DeviceError, match="output must have 6 channels, 'Speaker' has 2"):
        choose("1", "output", 6)


@pytest.mark.usefixtures("portaudio")
def test_an_unknown_device_is_one_sentence():
    with pytest.raises(DeviceError, match=r"got .Theremin. .*--list-devices"):
        SoundCard(AudioDeviceConfig(input="Theremin"), CLOCK)


@pytest.mark.usefixtures("portaudio")
def test_a_refused_rate_is_one_sentence():
    card = SoundCard(AudioDeviceConfig(), CLOCK)
    with pytest.raises(DeviceError, match="must run at 44100 Hz in blocks of 256") as caught:
        card.start()
    assert "\n" not in str(caught.value)
    assert card.stop()


@pytest.mark.usefixtures("portaudio")
def test_neither_input_nor_output_is_refused():
    guide = np.zeros((100, 1), dtype=np.float32)
    with pytest.raises(DeviceError, match="an input or an output"):
        SoundCard(AudioDeviceConfig(output=None), CLOCK, guide=guide)


@pytest.mark.usefixtures("portaudio")
def test_a_stream_that_hangs_in_closing_is_left_behind():
    card = SoundCard(AudioDeviceConfig(stop_seconds=0.05), CLOCK)
    for_ever = threading.Event()
    card._portaudio._exit_handler = None
    card._stream = SimpleNamespace(abort=lambda **_: for_ever.wait(5), close=lambda **_: None)
    assert not card.stop()
    for_ever.set()


@pytest.mark.usefixtures("portaudio")
def test_a_guide_is_listened_to_while_the_loudspeaker_plays():
    guide = np.linspace(0, 1, 400, dtype=np.float32)[:, None]
    card = SoundCard(AudioDeviceConfig(), CLOCK, guide=guide)
    card.write(np.full((256, 2), 0.25, dtype=np.float32))
    playing = np.empty((256, 2), dtype=np.float32)
    for _ in range(3):
        card._on_output(playing, 256, None, None)
    heard = np.concatenate([card.read(1.0), card.read(1.0)])
    np.testing.assert_array_equal(heard[:400, 1], guide[:, 0])
    assert card.read(1.0) is None
    assert card.underruns == 1


SERVER = "antiphon-test"
BLOCK = 256

ECHO = textwrap.dedent(
    """
    import json, os, sys, time
    from actors.devices.audio import AudioDeviceConfig, DeviceError
    from actors.devices.opening import open_device

    class Monotonic:
        now = staticmethod(time.monotonic)
        wait_until = None

    lead = 32
    config = AudioDeviceConfig(channels=1, lead_blocks=lead, input="system", output="system",
                               stop_seconds=1.0)
    device = open_device(config, Monotonic)
    silence = None
    import numpy as np
    for _ in range(lead):
        device.write(np.zeros((256, 1), dtype=np.float32))
    device.start()
    print("ready", flush=True)
    try:
        while True:
            device.write(device.read(0.5) * np.float32(0.5))
    except DeviceError as error:
        noticed = time.monotonic() - device.block_time
        alive = device.alive(time.monotonic())
        begun = time.monotonic()
        clean = device.stop()
        print(json.dumps({"noticed": noticed, "alive": alive, "clean": clean,
                          "stopping": time.monotonic() - begun, "sentence": str(error),
                          "underruns": device.underruns, "overruns": device.overruns}), flush=True)
    """
)


@pytest.fixture
def jack_server():
    if shutil.which("jackd") is None:
        pytest.skip("needs a JACK server: apt-get install jackd2")
    pytest.importorskip("jack", reason="needs JACK-Client: pip install JACK-Client")
    command = ["jackd", "-n", SERVER, "-S", "-r", "-d", "dummy"]
    command += ["-r", "44100", "-p", str(BLOCK), "-C", "2", "-P", "2"]
    server = subprocess.Popen(
        ["stdbuf", "-oL", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    subprocess.run(["jack_wait", "-s", SERVER, "-w", "-t", "10"], check=True, timeout=20)
    yield server
    server.kill()
    server.wait(10)


class Harness:
    """A JACK client that feeds the echo and records what comes back, in its process callback."""

    def __init__(self, feed):
        import jack

        self.feed, self.recorded = feed, np.zeros(len(feed), dtype=np.float32)
        self.position = 0
        self.connected = False
        self.done = threading.Event()
        self.client = jack.Client("harness", servername=SERVER, no_start_server=True)
        self.sender = self.client.outports.register("feed")
        self.receiver = self.client.inports.register("record")
        self.client.set_process_callback(self.process)

    def process(self, frames):
        out, at = self.sender.get_array(), self.position
        if not self.connected or at + frames > len(self.feed):
            out.fill(0.0)
            if self.connected:
                self.done.set()
            return
        out[:] = self.feed[at : at + frames]
        self.recorded[at : at + frames] = self.receiver.get_array()
        self.position = at + frames

    def run(self):
        with self.client:
            self.client.disconnect("system:capture_1", "PortAudio:in_0")
            self.client.connect(self.sender, "PortAudio:in_0")
            self.client.connect("PortAudio:out_0", self.receiver)
            self.connected = True
            assert self.done.wait(30)


@pytest.mark.audio
def test_a_duplex_stream_is_sample_exact_and_the_death_of_its_server_is_noticed(jack_server):
    environment = {**os.environ, "JACK_DEFAULT_SERVER": SERVER, "JACK_NO_START_SERVER": "1"}
    echo = subprocess.Popen(
        [sys.executable, "-c", ECHO],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        assert echo.stdout.readline() == "ready\n"
        feed = np.random.default_rng(1).uniform(-1, 1, 44_100 * 3).astype(np.float32)
        harness = Harness(feed)
        harness.run()
        jack_server.kill()
        report = json.loads(echo.communicate(timeout=20)[0])
    finally:
        echo.kill()
        echo.wait(10)
    whole = harness.position
    delay = int(np.argmax(np.correlate(harness.recorded[: 16 * 1024], feed[:4096], mode="valid")))
    np.testing.assert_array_equal(harness.recorded[delay:whole], feed[: whole - delay] * 0.5)
    assert 32 * BLOCK <= delay <= 36 * BLOCK
    assert (report["underruns"], report["overruns"]) == (0, 0)
    assert 0.4 < report["noticed"] < 1.0
    assert not report["alive"]
    assert report["stopping"] < 2.0
    assert "open it again" in report["sentence"]
