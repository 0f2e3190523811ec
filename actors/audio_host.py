"""The audio process: the device's blocks through the engine, its messages on the streams.

The loop follows the device and waits for nothing else. On stage a listener thread, with streams
of its own, takes fragments and controls off the wire as they arrive and stamps them; the next
block empties its queue. In the fast twin the loop reads its streams itself.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from actors.audio_engine import AudioEngine
from actors.devices.audio import AudioDevice
from actors.devices.recorder import Recorder
from actors.fade_out import FadeOut
from actors.receipts import Receipts
from actors.streams.codec import Envelope
from actors.streams.handshake import answer_roll_call
from actors.streams.machinery_messages import CallRoll, Fault
from actors.streams.streams import Streams
from agents.messages import Audio, Control, Feedback, Fragment, Metric, Played

HEARS = (Fragment.TOPIC, Feedback.TOPIC, Control.TOPIC, Played.TOPIC, CallRoll.TOPIC)
"""Topics of the audio process; its own account comes back to it as a receipt."""
MAX_WAITING = 1024
"""Bound of the queue between listener and loop; the oldest are dropped."""
DEVICE_PATIENCE_SECONDS = 2.0
"""A device that gives no block for this long is gone."""
LISTEN_SECONDS = 0.1
"""How long the listener waits before it looks whether it shall stop."""
FADE_OUT_SECONDS = 0.3
"""How long the end takes to fade."""


class Listener:
    """Takes what arrives off the streams, in a thread of its own.

    Args:
        connect: makes the streams, in that thread, subscribed and ready.
    """

    def __init__(self, connect: Callable[[], Streams]) -> None:
        self._connect = connect
        self._arrived: deque[Envelope] = deque(maxlen=MAX_WAITING)
        self._connected = threading.Event()
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def start(self) -> None:
        """Return when nothing that is said from now on will be missed.

        Raises:
            TimeoutError: the broker does not answer.
        """
        self._thread.start()
        self._connected.wait()
        if self._failure is not None:
            raise self._failure

    def take(self) -> Iterable[Envelope]:
        """What has arrived since the last call, oldest first; does not block."""
        while self._arrived:
            yield self._arrived.popleft()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join(timeout=10 * LISTEN_SECONDS)

    def _listen(self) -> None:
        try:
            streams = self._connect()
        except TimeoutError as error:
            self._failure = error
            return
        finally:
            self._connected.set()
        try:
            while not self._ended.is_set():
                arrived = streams.receive(LISTEN_SECONDS)
                self._arrived.extend(answer_roll_call(streams, "audio", arrived))
        finally:
            streams.close()


class AudioHost:
    """Drives one device and one engine until the device ends or it is told to stop.

    Args:
        engine: cuts, renders, accounts.
        device: opened, not started.
        recorder: takes every block heard and played; None records nothing.
        streams: where to publish.
        take: what has arrived since the last call.
        after_window: called when a window was published; the fast twin plays the band here.
        n_windows: how many windows are played, the last of them faded out; None for an open end.
        alarms: where the recorder leaves its alarms; they are told window by window.
    """

    def __init__(
        self,
        engine: AudioEngine,
        device: AudioDevice,
        recorder: Recorder | None,
        streams: Streams,
        take: Callable[[], Iterable[Envelope]],
        after_window: Callable[[], None] = lambda: None,
        n_windows: int | None = None,
        alarms: deque[str] | None = None,
    ) -> None:
        self._alarms: deque[str] = deque() if alarms is None else alarms
        self._receipts = Receipts(streams)
        self._fade_out = FadeOut(round(FADE_OUT_SECONDS * engine.grid.sample_rate))
        self._last_sample: int | None = None
        if n_windows is not None:
            self._fade_out.end_at(engine.grid.boundary(n_windows))
            self._last_sample = engine.grid.boundary(n_windows + 1) - 1
        self._engine = engine
        self._device = device
        self._recorder = recorder
        self._streams = streams
        self._take = take
        self._after_window = after_window

    def run(self, stop: threading.Event) -> None:
        """Play until the device or the windows end; after `stop` is set, fade out first.

        Raises:
            DeviceError: the device is gone.
        """
        heard, last, stopping = 0, self._last_sample, False
        try:
            for ahead in self._engine.prime():
                self._give(ahead)
            self._device.start()
            while (block := self._device.read(DEVICE_PATIENCE_SECONDS)) is not None:
                self._play(block)
                heard += len(block)
                if stop.is_set() and not stopping:
                    last, stopping = self._fade_out.begin() + len(block), True
                if last is not None and heard + len(block) > last:
                    return  # one block more would be too much
        finally:
            self._device.stop()
            self._receipts.close()
            if self._recorder is not None:
                self._recorder.close()

    def _play(self, block: Audio) -> None:
        self._take_in()
        out = self._engine.process(block, self._device.block_time, self._device.underruns)
        if self._recorder is not None:
            self._recorder.record_input(block)
        self._give(out)
        messages = self._engine.messages()
        for message in messages:
            self._receipts.publish(message)
        if messages:
            self._tell_alarms(messages[0].window)
            self._after_window()
            self._take_in()

    def _tell_alarms(self, window: int) -> None:
        while self._alarms:
            self._streams.publish(Fault(window, "audio", "alarm", self._alarms.popleft()))

    def _give(self, block: Audio) -> None:
        block = self._fade_out.faded(block)
        self._device.write(block)
        if self._recorder is not None:
            self._recorder.record_output(block)

    def _take_in(self) -> None:
        for envelope in self._take():
            match envelope.message:
                case Fragment() as fragment:
                    self._engine.accept(fragment, envelope.received)
                    self._tell_hop(fragment, envelope)
                case Played() as receipt:
                    self._receipts.take(receipt)
                case Feedback(verdict="panic"):
                    self._engine.panic()
                    self._device.mute(muted=True)  # what is queued ahead falls silent too
                case Feedback(verdict="resume"):
                    self._engine.resume()
                    self._device.mute(muted=False)
                case _:
                    pass

    def _tell_hop(self, fragment: Fragment, envelope: Envelope) -> None:
        if fragment.window == fragment.plan_window:
            hop_ms = (envelope.received - envelope.time) * 1e3
            self._streams.publish(Metric(fragment.window, "audio.hop_ms", hop_ms))
