"""Say what you think of what sounds: `antiphon feedback like [--clip NAME] [--who ID]`.

It goes to the stage that plays on this machine, and comes back when it is on disk. Without a stage
it goes straight into a store: `--store FILE --clip NAME`.
"""

import argparse
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message import ParseError as MessageError
from pythonosc.osc_message_builder import OscMessageBuilder

from actors.clock import SystemClock
from actors.devices.osc import LONGEST_DATAGRAM, LONGEST_TEXT, OscConfig
from corpus.feedback_store import FeedbackError, FeedbackStore
from launch.command import within

VERDICTS: Final = ("like", "dislike", "approve", "back", "change")
ANSWERS: Final = ("/antiphon/acknowledged", "/antiphon/refused")


class NoAnswerError(RuntimeError):
    """No stage has answered in time; one sentence for the user."""


def main(argv: Sequence[str] | None = None) -> int:
    """Give one verdict.

    Returns:
        0 if it is on disk, 1 if it was refused, 2 if it went nowhere.
    """
    arguments = _parser().parse_args(argv)
    try:
        if arguments.store is not None:
            print(_into_store(arguments))
            return 0
        taken, sentence = send(
            arguments.verdict,
            arguments.clip,
            arguments.who,
            port=arguments.port,
            seconds=arguments.wait,
        )
    except (FeedbackError, NoAnswerError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(sentence if taken else f"refused: {sentence}", file=sys.stdout if taken else sys.stderr)
    return 0 if taken else 1


def send(
    verdict: str, clip: str = "", who: str = "", *, port: int, seconds: float
) -> tuple[bool, str]:
    """Send a verdict to the stage on this machine; whether it was taken, and what it says.

    Args:
        verdict: one of VERDICTS.
        clip: name; "" for what sounds.
        who: whose verdict; "" for nobody in particular.
        port: of the stage's OSC.
        seconds: how long to wait for the answer, > 0.

    Raises:
        NoAnswerError: no answer came in time.
    """
    request = secrets.token_hex(4)
    builder = OscMessageBuilder(f"/antiphon/{verdict}")
    for text in (clip, who, request):
        builder.add_arg(text)
    clock = SystemClock()
    until = clock.now() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect((OscConfig().host, port))
        try:
            wire.send(builder.build().dgram)
            while (left := until - clock.now()) > 0:
                wire.settimeout(left)
                answer = _read(wire.recv(LONGEST_DATAGRAM), request)
                if answer is not None:
                    return answer
        except (TimeoutError, ConnectionError):
            pass  # nobody is there, or nobody speaks
    raise NoAnswerError(
        f"a stage must be playing with its OSC at port {port} of this machine, but none answered "
        f"in {seconds:g} s; name another --port, or a --store FILE"
    )


def _read(datagram: bytes, request: str) -> tuple[bool, str] | None:
    try:
        message = OscMessage(datagram)
    except MessageError:
        return None
    if message.address not in ANSWERS or [*message.params][:1] != [request]:
        return None
    return message.address == ANSWERS[0], " ".join(map(str, message.params[1:]))


def _into_store(arguments: argparse.Namespace) -> str:
    if not arguments.clip:
        raise FeedbackError("without a stage nothing sounds; name what it is about with --clip")
    if not arguments.store.parent.is_dir():
        raise FeedbackError(f"a store must lie in a folder that exists, got {arguments.store}")
    with FeedbackStore(arguments.store) as store:
        device = arguments.who or "command line"
        store.add(device, arguments.clip, arguments.verdict, SystemClock().now())
    return f"{arguments.verdict} is kept, about {arguments.clip}"


def _short_text(text: str) -> str:
    if not text.isprintable():  # what a terminal gives for bytes that are no UTF-8 is not
        raise argparse.ArgumentTypeError("must be one line of plain UTF-8 text")
    if len(text) > LONGEST_TEXT:
        raise argparse.ArgumentTypeError(f"must be at most {LONGEST_TEXT} characters")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon feedback", description="Say what you think of what sounds."
    )
    parser.add_argument("verdict", choices=VERDICTS)
    parser.add_argument("--clip", type=_short_text, default="", help="what it is about, by name")
    parser.add_argument("--who", type=_short_text, default="", help="kept as an anonymous number")
    parser.add_argument(
        "--port",
        type=within(int, 1, 65_535),
        default=OscConfig().port,
        help="the stage's OSC port",
    )
    parser.add_argument(
        "--wait",
        type=within(float, 0.01, 3600.0),
        default=5.0,
        metavar="SECONDS",
        help="for the answer (5)",
    )
    parser.add_argument("--store", type=Path, help="a store to write into, where no stage plays")
    return parser


if __name__ == "__main__":
    sys.exit(main())
