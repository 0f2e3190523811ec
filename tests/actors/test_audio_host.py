"""The audio host: what it hears goes out, what it is told sounds, and it ends in order."""

import threading

import numpy as np
import pytest
import soundfile

from actors.audio_engine import AudioEngine
from actors.audio_host import HEARS, AudioHost, Listener
from actors.clock import ManualClock
from actors.devices.audio import AudioDeviceConfig
from actors.devices.recorder import Recorder, RecorderConfig
from actors.devices.replay import ReplayDevice
from actors.streams.in_process_streams import InProcessHub
from actors.streams.machinery_messages import CallRoll, Ready
from agents.messages import AudioIn, Feedback, Fragment, Metric, Played, Tick
from agents.musical_time import TempoMap
from corpus.segmentation import WindowGrid, exact_seconds

RATE = 44_100
GRID = WindowGrid(RATE, exact_seconds(0.25))
DEVICE = AudioDeviceConfig(sample_rate=RATE, channels=1, lead_blocks=2)
BLOCK = DEVICE.block_frames
TONE = (0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE * 4) / RATE)).astype(np.float32)


class Stage:
    """An audio host on a replay at fast pace; whoever answers is asked once per block read."""

    def __init__(self, folder, n_windows, *, answer=None, guide_windows=None):
        hub = InProcessHub()
        self.folder, self.answer = folder, answer or (lambda _: [])
        self.ear = hub.join("ear", [kind.TOPIC for kind in (AudioIn, Played, Tick, Metric)])
        self.mouth = hub.join("mouth", ())
        self.streams = hub.join("audio", HEARS)
        guide = np.zeros((GRID.boundary(guide_windows or n_windows), 1), np.float32)
        self.device = ReplayDevice(guide, DEVICE, ManualClock(), pace="fast")
        recorder = Recorder(folder, DEVICE, print, config=RecorderConfig(lossless=True))
        recorder.start()
        self.n_blocks, self.messages = 0, []
        engine = AudioEngine(GRID, TempoMap(), DEVICE)
        self.host = AudioHost(
            engine, self.device, recorder, self.streams, self._take, n_windows=n_windows
        )

    def _take(self):
        n_blocks = round(self.device.block_time * RATE / BLOCK)
        if n_blocks > self.n_blocks:
            self.n_blocks = n_blocks
            for message in self.answer(n_blocks):
                self.mouth.publish(message)
        self.messages += [envelope.message for envelope in self.ear.receive()]
        return self.streams.receive()

    def play(self, stop=None):
        self.host.run(stop or threading.Event())
        self.messages += [envelope.message for envelope in self.ear.receive()]
        return soundfile.read(self.folder / "accompaniment.wav", dtype="float32")[0]

    def windows_of(self, kind):
        return [m.window for m in self.messages if isinstance(m, kind)]


def tone(window):
    """The tone's part that lies at `window`, with lead and tail."""
    at, lead = GRID.boundary(window), 441 if window else 0
    samples = TONE[at - lead : at + 11_025 + 4000, None]
    return Fragment(window, window, 5, 5, window, "jump", True, lead, samples)


def tone_all_along(n_blocks):
    """At the first block: the tone for every window; later nothing."""
    return [tone(k) for k in range(12)] if n_blocks == 1 else []


def test_every_window_heard_is_told_with_its_tick_and_account(tmp_path):
    stage = Stage(tmp_path, 5)
    stage.play()
    assert stage.windows_of(AudioIn) == [0, 1, 2, 3, 4]
    assert stage.windows_of(Tick) == [1, 2, 3, 4, 5]
    assert stage.windows_of(Played) == [0, 1, 2, 3, 4]


def test_fragments_sound_on_the_grid(tmp_path):
    sound = Stage(tmp_path, 8, answer=tone_all_along).play()
    inside = slice(GRID.boundary(2), GRID.boundary(6))
    np.testing.assert_allclose(sound[inside], TONE[inside], atol=2 / 32768)


def test_panic_silences_within_one_block_and_resume_sounds_again(tmp_path):
    panic_at, resume_at = 100, 180

    def answer(n_blocks):
        verdict = {panic_at: "panic", resume_at: "resume"}.get(n_blocks)
        return [Feedback(0, verdict, "keys")] if verdict else tone_all_along(n_blocks)

    sound = Stage(tmp_path, 8, answer=answer).play()
    lead, look_ahead = DEVICE.lead_blocks * BLOCK, 66  # limiter's 1.5 ms
    panic, resume = (panic_at - 1) * BLOCK + lead, (resume_at - 1) * BLOCK + lead
    assert np.abs(sound[panic - BLOCK : panic]).max() > 0.25
    assert not sound[panic + BLOCK + look_ahead : resume].any()
    assert np.abs(sound[resume + BLOCK + 441 : resume + 4 * BLOCK]).max() > 0.25


def test_panic_is_no_click(tmp_path):
    def answer(n_blocks):
        return [Feedback(0, "panic", "osc")] if n_blocks == 101 else tone_all_along(n_blocks)

    sound = Stage(tmp_path, 8, answer=answer).play()
    steepest = 0.3 * 2 * np.pi * 220 / RATE + 0.3 / (0.0025 * RATE)  # the tone, and the ramp on it
    assert np.abs(np.diff(sound)).max() < 1.05 * steepest


@pytest.mark.parametrize("guide_windows", [8, 20])
def test_the_last_window_fades_out_whether_the_device_ends_or_not(tmp_path, guide_windows):
    stage = Stage(tmp_path, 8, answer=tone_all_along, guide_windows=guide_windows)
    sound = stage.play()
    end = GRID.boundary(8)
    assert np.abs(sound[end - 13_230 - 2000 : end - 13_230]).max() > 0.29
    assert np.abs(sound[end - 2000 : end]).max() < 0.05
    assert not sound[end:].any()
    assert stage.windows_of(Played) == list(range(8))


def test_a_stop_fades_out_and_ends(tmp_path):
    stop = threading.Event()

    def answer(n_blocks):
        if n_blocks == 90:
            stop.set()
        return tone_all_along(n_blocks)

    stage = Stage(tmp_path, 12, answer=answer)
    sound = stage.play(stop)
    seconds_after = len(sound) / RATE - 90 * BLOCK / RATE
    assert 0.3 < seconds_after < 0.35
    assert np.abs(sound[: 90 * BLOCK]).max() > 0.29
    assert np.abs(np.diff(sound)).max() < 0.011
    assert not sound[-2:].any()


def test_the_input_is_recorded_as_long_as_the_output(tmp_path):
    stage = Stage(tmp_path, 5, answer=tone_all_along)
    stage.play()
    lengths = {len(soundfile.read(path)[0]) for path in tmp_path.glob("*.wav")}
    assert lengths == {-(-GRID.boundary(5) // BLOCK) * BLOCK}


def test_the_listener_takes_what_arrives_and_answers_the_roll_call():
    hub, given = InProcessHub(), threading.Event()
    mouth, ear = hub.join("mouth", ()), hub.join("ear", (Ready.TOPIC,))

    def connect():
        streams = hub.join("audio.listener", HEARS)
        mouth.publish(CallRoll(0))
        mouth.publish(tone(3))
        given.set()
        return streams

    listener = Listener(connect)
    listener.start()
    assert given.wait(5)
    listener.close()
    assert [envelope.window for envelope in listener.take()] == [3]
    assert [envelope.message.role for envelope in ear.receive()] == ["audio"]


def test_a_listener_that_finds_no_broker_says_so():
    def connect():
        raise TimeoutError("nothing came back")

    with pytest.raises(TimeoutError, match="nothing came back"):
        Listener(connect).start()
