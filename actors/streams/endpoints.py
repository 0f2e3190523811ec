"""Where the broker is found and how one may speak to it: addresses, bounds, keys.

Everything runs over TCP, on the loopback by default. Beyond the loopback both the broker and
its peers must hold CURVE keys (CurveZMQ, RFC 26): the traffic is then encrypted, and the broker
takes in only who holds the band's key.
"""

import json
import os
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

import zmq
from pydantic import BaseModel, Field, model_validator

from actors.streams.codec import MAX_FRAME_BYTES


class StreamsConfig(BaseModel, frozen=True, extra="forbid"):
    """The broker's two endpoints, the bounds of the queues, and the keys."""

    host: str = Field(default="127.0.0.1", description="IPv4 address the broker binds")
    publish_port: int = Field(default=17400, ge=1024, le=65535, description="peers publish to it")
    subscribe_port: int = Field(default=17401, ge=1024, le=65535, description="peers listen to it")
    queue_messages: int = Field(
        default=512, ge=16, le=65536, description="bound of every queue, messages"
    )
    keys_file: Path | None = Field(
        default=None, description="file made by CurveKeys.save; required beyond the loopback"
    )

    @model_validator(mode="after")
    def _check(self) -> "StreamsConfig":
        if self.publish_port == self.subscribe_port:
            raise ValueError(
                f"publish_port and subscribe_port must differ, both are {self.publish_port}"
            )
        try:
            on_loopback = ip_address(self.host).is_loopback
        except ValueError as error:
            raise ValueError(f"host must be an IP address, got {self.host!r}") from error
        if not on_loopback and self.keys_file is None:
            raise ValueError(
                f"beyond the loopback keys are required, got host {self.host} without keys_file: "
                "make one with CurveKeys.generate().save(path) and copy it to every machine"
            )
        return self

    @property
    def publish_address(self) -> str:
        """Where peers publish."""
        return f"tcp://{self.host}:{self.publish_port}"

    @property
    def subscribe_address(self) -> str:
        """Where peers subscribe."""
        return f"tcp://{self.host}:{self.subscribe_port}"

    def keys(self) -> "CurveKeys | None":
        """The keys to speak with, None on an open loopback.

        Raises:
            ValueError: the file holds no keys.
            OSError: the file cannot be read.
        """
        return None if self.keys_file is None else CurveKeys.load(self.keys_file)


@dataclass(frozen=True)
class CurveKeys:
    """The broker's key pair and the one that all peers of a band share, in Z85 text."""

    broker_public: str
    broker_secret: str
    band_public: str
    band_secret: str

    @classmethod
    def generate(cls) -> "CurveKeys":
        """Fresh keys."""
        pairs = (*zmq.curve_keypair(), *zmq.curve_keypair())
        return cls(*(key.decode() for key in pairs))

    @classmethod
    def load(cls, path: Path) -> "CurveKeys":
        """Keys from a file that `save` wrote.

        Raises:
            ValueError: the file holds no keys.
            OSError: the file cannot be read.
        """
        try:
            fields = json.loads(path.read_text())
            keys = cls(**fields)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"a keys file must be one that CurveKeys.save wrote: {path}"
            ) from error
        if any(not isinstance(key, str) or len(key) != 40 for key in asdict(keys).values()):
            raise ValueError(f"a CURVE key must have 40 characters; make a new file for {path}")
        return keys

    def save(self, path: Path) -> None:
        """Write the keys to a new file that only its owner can read.

        Raises:
            OSError: the file exists or cannot be written.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file)

    def guard_broker(self, socket: "zmq.Socket[bytes]") -> None:
        """Make a socket that is about to bind demand the band's key."""
        socket.curve_server = 1
        socket.curve_secretkey = self.broker_secret.encode()

    def unlock_peer(self, socket: "zmq.Socket[bytes]") -> None:
        """Make a socket that is about to connect show the band's key."""
        socket.curve_serverkey = self.broker_public.encode()
        socket.curve_publickey = self.band_public.encode()
        socket.curve_secretkey = self.band_secret.encode()


def bound_queues(socket: "zmq.Socket[bytes]", config: StreamsConfig) -> None:
    """Set the bounds every socket keeps: queue lengths, message size."""
    socket.set_hwm(config.queue_messages)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
