"""Control by OSC over UDP, from this machine only: pedals, phones behind a bridge, Sonic Pi.

    /antiphon/panic   /antiphon/resume
    /antiphon/like   /antiphon/dislike   /antiphon/approve   /antiphon/back   /antiphon/change
        each with up to three optional texts: the clip it is about ("" for what sounds), who says
        so, and a request; to a request comes an answer, /antiphon/acknowledged or
        /antiphon/refused, with the request and a sentence
    /antiphon/control   section.key   value

Whatever else comes is refused and counted. Panic and resume have a rate of their own, so that no
flood of other messages can keep them out.
"""

import contextlib
import ipaddress
import math
import re
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field, field_validator
from pythonosc.osc_bundle import ParseError as BundleError
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message import ParseError as MessageError
from pythonosc.osc_message_builder import BuildError, OscMessageBuilder
from pythonosc.osc_packet import OscPacket
from pythonosc.osc_packet import ParseError as PacketError

from actors.devices.audio import DeviceError
from agents.messages import Control, Feedback

VERDICTS = ("panic", "resume", "like", "dislike", "approve", "back", "change")
URGENT = ("panic", "resume")
LONGEST_DATAGRAM = 4096
LONGEST_TEXT = 200
MOST_TEXTS = 3
"""A verdict's arguments: about, who, request."""
CONTROL_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
POLL_SECONDS = 0.1
MALFORMED = (
    PacketError,
    MessageError,
    BundleError,
    ValueError,
    IndexError,
    TypeError,
    OverflowError,
    RecursionError,
    struct.error,
)


Heard = TypeVar("Heard")


class OscConfig(BaseModel, frozen=True, extra="forbid"):
    """Where OSC is listened for."""

    host: str = "127.0.0.1"  # a loopback address: OSC knows no keys
    port: int = Field(default=7770, ge=0, le=65_535)  # UDP; 0 takes any free one
    messages_per_second: float = Field(default=50.0, gt=0, le=1000)  # more are dropped and counted

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError(f"host must be a loopback address such as 127.0.0.1, got {host!r}")
        return host


class Rate:
    """Lets at most `per_second` events through each second, as many at once (a token bucket).

    Args:
        per_second: events per second, > 0.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(per_second, 1.0)
        self._left = self._most
        self._last: float | None = None

    def admits(self, now: float) -> bool:
        """True if an event at `now` (monotonic seconds) may pass; it is counted then."""
        if self._last is not None:
            self._left += max(now - self._last, 0.0) * self._per_second
        self._left, self._last = min(self._left, self._most), now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


Answer = Callable[[bool, str], None]
"""Tells whoever sent a message whether it was taken, and a sentence."""


def no_answer(taken: bool, sentence: str) -> None:
    """To whoever asked for none."""


class OscReceiver(Generic[Heard]):
    """Turns datagrams into messages and hands them to `deliver`, on a thread of its own.

    Args:
        config: address, rate.
        translate: what an address and its arguments mean in a window; None if nothing.
        deliver: takes each message, on this object's thread, and what answers its sender, from
            any thread; must not block for long.
        window: the window that sounds now.
        now: monotonic seconds.
        is_urgent: messages with a rate of their own.
        request_of: what the sender calls the answer that it asks for; None if it asks for none.
        longest_datagram: bytes; longer ones are refused.
    """

    def __init__(
        self,
        config: OscConfig,
        translate: Callable[[str, Sequence[object], int], Heard | None],
        deliver: Callable[[Heard, Answer], None],
        window: Callable[[], int],
        now: Callable[[], float],
        *,
        is_urgent: Callable[[Heard], bool] = lambda _: False,
        request_of: Callable[[Heard, Sequence[object]], str | None] = lambda *_: None,
        longest_datagram: int = LONGEST_DATAGRAM,
    ) -> None:
        self.config = config
        self.refused = 0
        self.limited = 0
        self._translate = translate
        self._is_urgent = is_urgent
        self._request_of = request_of
        self._longest = longest_datagram
        self._deliver = deliver
        self._window = window
        self._now = now
        self._urgent = Rate(config.messages_per_second)
        self._ordinary = Rate(config.messages_per_second)
        self._socket: socket.socket | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listen; the port listened on.

        Raises:
            DeviceError: the port is taken.
        """
        family = socket.AF_INET6 if ":" in self.config.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_DGRAM)
        try:
            listener.bind((self.config.host, self.config.port))
        except OSError as error:
            listener.close()
            raise DeviceError(
                f"OSC needs a free UDP port, {self.config.host}:{self.config.port} is not "
                f"({error.strerror}); set osc.port to another one"
            ) from error
        listener.settimeout(POLL_SECONDS)
        self._socket = listener
        self._thread = threading.Thread(
            target=self._listen, args=(listener,), name="osc", daemon=True
        )
        self._thread.start()
        return int(listener.getsockname()[1])

    def stop(self) -> None:
        """Listen no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10 * POLL_SECONDS)
        if self._socket is not None:
            self._socket.close()

    def _listen(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                datagram, sender = listener.recvfrom(self._longest + 1)
            except TimeoutError:
                continue
            except OSError:
                if self._stopping.is_set():
                    return
                continue  # an ICMP answer to something sent before; the socket is still good
            self.receive(datagram, sender)

    def receive(self, datagram: bytes, sender: Any = None) -> None:  # noqa: ANN401
        """Take one datagram: a message or a bundle (its time tags are ignored).

        Args:
            datagram: as it came.
            sender: the socket address to answer to; None for nobody.
        """
        try:
            if len(datagram) > self._longest:
                raise ValueError(f"a datagram must be at most {self._longest} bytes")
            messages = [timed.message for timed in OscPacket(datagram).messages]
        except MALFORMED:
            self.refused += 1
            return
        for message in messages:
            self._take(message, sender)

    def _take(self, osc: OscMessage, sender: Any) -> None:  # noqa: ANN401
        arguments = list(osc.params)
        message = self._translate(osc.address, arguments, self._window())
        if message is None:
            self.refused += 1
            return
        request = self._request_of(message, arguments)
        answer = no_answer if request is None else self._answer_to(sender, request)
        if (self._urgent if self._is_urgent(message) else self._ordinary).admits(self._now()):
            self._deliver(message, answer)
        else:
            self.limited += 1
            answer(
                False, f"at most {self.config.messages_per_second:g} messages a second are taken"
            )

    def _answer_to(self, sender: Any, request: str) -> Answer:  # noqa: ANN401
        listener = self._socket
        if listener is None or sender is None:
            return no_answer

        def answer(taken: bool, sentence: str) -> None:
            builder = OscMessageBuilder(f"/antiphon/{'acknowledged' if taken else 'refused'}")
            builder.add_arg(request)
            builder.add_arg(sentence)
            with contextlib.suppress(OSError, BuildError):  # whoever asked is gone
                listener.sendto(builder.build().dgram, sender)

        return answer


class OscInput(OscReceiver[Feedback | Control]):
    """What performers and their audience say: verdicts and controls; see `OscReceiver`."""

    def __init__(
        self,
        config: OscConfig,
        deliver: Callable[[Feedback | Control, Answer], None],
        window: Callable[[], int],
        now: Callable[[], float],
    ) -> None:
        super().__init__(
            config,
            translate,
            deliver,
            window,
            now,
            is_urgent=_is_urgent,
            request_of=_request_of,
        )


def _is_urgent(message: Feedback | Control) -> bool:
    return isinstance(message, Feedback) and message.verdict in URGENT


def _request_of(message: Feedback | Control, arguments: Sequence[object]) -> str | None:
    asks = isinstance(message, Feedback) and len(arguments) == MOST_TEXTS
    return str(arguments[-1]) if asks else None


def translate(address: str, arguments: Sequence[object], window: int) -> Feedback | Control | None:
    """The message that an OSC address and its arguments mean; None if they mean nothing.

    Args:
        address: OSC address.
        arguments: decoded arguments.
        window: the window that sounds now.
    """
    prefix, _, name = address.rpartition("/")
    if prefix != "/antiphon":
        return None
    if name in VERDICTS:
        if len(arguments) > MOST_TEXTS or not all(
            isinstance(a, str | int | float) for a in arguments
        ):
            return None
        about, who, _ = [*map(str, arguments), "", "", ""][:MOST_TEXTS]
        fits = all(len(str(text)) <= LONGEST_TEXT for text in arguments)
        return Feedback(window, name, "osc", about, who) if fits else None
    if name != "control" or len(arguments) != 2:
        return None
    key, value = arguments
    if not isinstance(key, str) or len(key) > LONGEST_TEXT or not CONTROL_NAME.fullmatch(key):
        return None
    if not isinstance(value, bool | int | float | str):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return None
    return Control(window, key, value)
