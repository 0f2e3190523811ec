"""The broker: the one process that binds; whatever any peer publishes, it passes on.

It asks the publishers for everything and sorts by topic on the way out. So a subscription is in
force for *every* publisher as soon as the broker has it, and a peer that got its own probe back
(`Streams.wait_until_ready`) misses nothing, whoever speaks. A subscriber that does not keep up
loses the newest messages once its queue is full; it sees that in the sequence numbers.
"""

import contextlib
import threading
from collections.abc import Callable

import zmq
from zmq.utils import z85

from actors.streams.endpoints import CurveKeys, StreamsConfig, bound_queues

_SUBSCRIBE_ALL = b"\x01"
_DOORKEEPER_SECONDS = 5.0
_ZAP_ADDRESS = "inproc://zeromq.zap.01"


class Broker:
    """An XSUB/XPUB forwarder on the two endpoints of `config`."""

    def __init__(self, config: StreamsConfig) -> None:
        self._config = config
        self._keys = config.keys()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._stopped = threading.Event()

    def run(self, on_bound: Callable[[], None] = lambda: None) -> None:
        """Forward until `stop`, once; the sockets live in the calling thread.

        Args:
            on_bound: called once both endpoints are open.

        Raises:
            OSError: an endpoint is taken or cannot be bound.
        """
        try:
            if self._keys is not None:
                _Doorkeeper(self._context, self._keys).start()
            with (
                self._bound(zmq.XSUB, self._config.publish_address) as inlet,
                self._bound(zmq.XPUB, self._config.subscribe_address) as outlet,
            ):
                inlet.send(_SUBSCRIBE_ALL)
                on_bound()
                zmq.proxy(inlet, outlet)
        except zmq.ZMQError:
            if not self._stopped.is_set():  # `stop` ends the context under our feet, by design
                raise
        finally:
            self.stop()

    def stop(self) -> None:
        """End `run`; from any thread, any number of times. A stopped broker cannot run again."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._context.term()

    def _bound(self, kind: int, address: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        socket.linger = 0
        bound_queues(socket, self._config)
        if self._keys is not None:
            self._keys.guard_broker(socket)
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            socket.close()
            if self._stopped.is_set():
                raise
            raise _bind_failure(address, error) from error
        return socket


def check_endpoints_are_free(config: StreamsConfig) -> None:
    """Find out before anything is started whether a broker could bind here.

    Raises:
        OSError: an endpoint is taken or cannot be bound.
    """
    with zmq.Context() as context:
        for address in (config.publish_address, config.subscribe_address):
            with context.socket(zmq.XSUB) as socket:
                try:
                    socket.bind(address)
                except zmq.ZMQError as error:
                    raise _bind_failure(address, error) from error


def _bind_failure(address: str, error: zmq.ZMQError) -> OSError:
    if error.errno == zmq.EADDRINUSE:
        return OSError(
            f"the broker must have {address} for itself, but it is taken, probably by a stage "
            "that is already running: stop that one, or set other ports (streams.publish_port, "
            "streams.subscribe_port)",
        )
    return OSError(f"the broker must be able to bind {address}, but: {error.strerror}")


class _Doorkeeper:
    """Takes in the band's key and no other: the broker's half of ZAP (ZeroMQ RFC 27).

    Its thread ends when the context does.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", keys: CurveKeys) -> None:
        self._context = context
        self._band_key = z85.decode(keys.band_public)
        self._bound = threading.Event()

    def start(self) -> None:
        """Stand at the door before anybody can knock; without one libzmq lets in anybody.

        Raises:
            RuntimeError: the doorkeeper did not come.
        """
        threading.Thread(target=self._answer, name="doorkeeper", daemon=True).start()
        if not self._bound.wait(_DOORKEEPER_SECONDS) and not self._context.closed:
            raise RuntimeError(
                f"the doorkeeper must stand within {_DOORKEEPER_SECONDS} s, but did not: the "
                "broker stays shut; start it again"
            )

    def _answer(self) -> None:
        with contextlib.suppress(zmq.ZMQError), self._context.socket(zmq.REP) as socket:
            socket.linger = 0
            socket.bind(_ZAP_ADDRESS)
            self._bound.set()
            while True:
                version, request, *_, key = socket.recv_multipart()
                status = (b"200", b"OK") if key == self._band_key else (b"400", b"other key")
                socket.send_multipart([version, request, *status, b"", b""])
