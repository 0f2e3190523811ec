"""How long a message takes from one process through the broker to another.

Run as `python tests/benchmarks/streams.py [--messages N] [--interval SECONDS]`. The broker and
the echo are processes of their own; a hop is half a round trip, so that one clock measures it.
Prints a table.
"""

import argparse
import multiprocessing
import socket
import threading
import time
from multiprocessing.synchronize import Event

import numpy as np

from actors.streams.broker import Broker
from actors.streams.codec import StreamMessage, decode, encode
from actors.streams.endpoints import StreamsConfig
from actors.streams.handshake import RollCall, answer_roll_call
from actors.streams.machinery_messages import CallRoll
from actors.streams.streams import ZmqStreams
from agents.messages import AudioIn, AudioOut, HeardLabel, Metric

LONG = 30.0  # seconds
AUDIO_FRAMES = 11025  # 0.25 s at 44.1 kHz mono: 44 kB


def run_broker(config: StreamsConfig) -> None:
    Broker(config).run()


def run_echo(config: StreamsConfig, over: Event) -> None:
    """Answer audio with audio and labels with metrics, each of the same size as what came."""
    with ZmqStreams(config, "echo", ["audio.in", "label", CallRoll.TOPIC]) as streams:
        streams.wait_until_ready(LONG)
        while not over.is_set():
            for envelope in answer_roll_call(streams, "echo", streams.receive(0.1)):
                message = envelope.message
                if isinstance(message, AudioIn):
                    streams.publish(AudioOut(message.window, message.samples))
                else:
                    streams.publish(Metric(envelope.window, "echo", 0.0))


def round_trips(
    streams: ZmqStreams, message_of: dict[str, StreamMessage], n_messages: int, interval: float
) -> dict[str, list[float]]:
    """Seconds there and back for each message, one at a time."""
    trips: dict[str, list[float]] = {name: [] for name in message_of}
    pause = threading.Event()
    for _ in range(n_messages):
        for name, message in message_of.items():
            start = time.perf_counter()
            streams.publish(message)
            if not streams.receive(LONG):
                raise TimeoutError(f"an echo must come within {LONG} s, but none did")
            trips[name].append(time.perf_counter() - start)
            pause.wait(interval)
    return trips


def codec_microseconds(message: StreamMessage, n_times: int = 2000) -> tuple[float, float]:
    """Microseconds that encoding and decoding `message` take on average."""
    start = time.perf_counter()
    for _ in range(n_times):
        frames = encode(message, sender="bench", session=0, sequence=0, time=0.0)
    middle = time.perf_counter()
    for _ in range(n_times):
        decode(frames, received=0.0)
    scale = 1e6 / n_times
    return (middle - start) * scale, (time.perf_counter() - middle) * scale


def free_config() -> StreamsConfig:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    return StreamsConfig(publish_port=ports[0], subscribe_port=ports[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between messages")
    arguments = parser.parse_args()
    noise = np.random.default_rng(0).standard_normal((AUDIO_FRAMES, 1), np.float32) / 8
    message_of: dict[str, StreamMessage] = {
        "audio window, 44 kB": AudioIn(0, noise),
        "label, 0.1 kB": HeardLabel(0, 3, 0.1, -12.0, 0.5, -40.0),
    }
    config = free_config()
    spawn = multiprocessing.get_context("spawn")
    over = spawn.Event()
    broker = spawn.Process(target=run_broker, args=(config,), daemon=True)
    echo = spawn.Process(target=run_echo, args=(config, over), daemon=True)
    broker.start()
    echo.start()
    with ZmqStreams(config, "bench", ["audio.out", "metric"]) as streams:
        streams.wait_until_ready(LONG)
        RollCall(streams, {"echo"}).wait(LONG)
        trips = round_trips(streams, message_of, arguments.messages, arguments.interval)
        lost = streams.counters.lost
    over.set()
    echo.join(LONG)
    broker.terminate()
    print("one hop through the broker (half a round trip, codec included)")
    columns = ("p50 ms", "p95 ms", "p99 ms", "max ms", "encode us", "decode us")
    print(f"{'message':20}" + "".join(f"{column:>11}" for column in columns))
    for name, seconds in trips.items():
        figures = np.percentile(np.array(seconds) * 500, [50, 95, 99, 100])
        row = (*figures, *codec_microseconds(message_of[name]))
        print(f"{name:20}" + "".join(f"{figure:11.2f}" for figure in row))
    print(f"messages: {arguments.messages} each, lost: {lost}")


if __name__ == "__main__":
    main()
