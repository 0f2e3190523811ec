"""A running Sonic Pi: where it listens, and how a program is given to it.

Sonic Pi takes `/run-code` by OSC over UDP on this machine. Version 3 listens on port 4557 or on
the one it names in its log, and takes any first argument; version 4 chooses its port at each start
and wants the token of that start as the first argument. Both are told by its logs:

    gui.log             eight lines "daemon_stdout: N", the third the port, the last the token
    daemon.log          the same eight numbers in one line
    spider.log          "server_port: N" or ":server_port=>N", and "Token: N" (until 4.5)
    server-output.log   "Listen port: N" (version 3, no token)
"""

import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field
from pythonosc.osc_message_builder import OscMessageBuilder

from actors.devices.audio import DeviceError

LOG_BYTES: Final = 256 * 1024
"""How much of the end of a log is read."""
LONGEST_PROGRAM: Final = 60_000
"""Bytes of a program that fit one datagram."""
TOKEN_VARIABLE: Final = "SONIC_PI_TOKEN"
"""Environment variable that may hold the token; it is never written anywhere."""
SENDER: Final = "antiphon"
_REFUSAL_SECONDS: Final = 0.02


class SonicPiConfig(BaseModel, frozen=True, extra="forbid"):
    """Where Sonic Pi is; by default it is looked for."""

    port: int | None = Field(None, ge=1024, le=65_535)  # UDP; none: as its logs say
    home: Path | None = None  # folder that holds .sonic-pi; none: the user's home


@dataclass(frozen=True)
class Listening:
    """Where a Sonic Pi listens.

    Args:
        port: UDP port on this machine.
        token: what version 4 wants to be told first; None: version 3.
    """

    port: int
    token: int | None = field(repr=False)


class SonicPi:
    """Sends programs to the Sonic Pi that runs now; it may be started or restarted at any time.

    Args:
        config: where to look.
    """

    def __init__(self, config: SonicPiConfig) -> None:
        self._config = config

    def play(self, program: str) -> str:
        """Run `program` as if the performer had pressed Run; where it went, for a person.

        Raises:
            DeviceError: no Sonic Pi is found or nobody listens there; or the program is too long.
        """
        n_bytes = len(program.encode())
        if n_bytes > LONGEST_PROGRAM:
            raise DeviceError(
                f"a program for Sonic Pi must have at most {LONGEST_PROGRAM} bytes, got {n_bytes}"
            )
        listening = self._find()
        builder = OscMessageBuilder("/run-code")
        builder.add_arg(SENDER if listening.token is None else listening.token)
        builder.add_arg(program)
        _send(builder.build().dgram, listening.port)
        return f"Sonic Pi on port {listening.port}"

    def _find(self) -> Listening:
        token = _token_of_environment()
        if self._config.port is not None and token is not None:
            return Listening(self._config.port, token)
        home = self._config.home or Path(os.environ.get("SONIC_PI_HOME", Path.home()))
        found = find_listening(home / ".sonic-pi" / "log")
        if self._config.port is not None:
            of_log = found.token if found and found.port == self._config.port else None
            return Listening(self._config.port, of_log)
        if found is None:
            raise DeviceError(
                f"Sonic Pi must be running, but its logs in {home / '.sonic-pi' / 'log'} name no "
                "port; start it, or set code_ranking.desk.sonic_pi.port"
            )
        return found if token is None else Listening(found.port, token)


def find_listening(log_folder: Path) -> Listening | None:
    """Where the Sonic Pi that was started last listens, by its logs; None if they do not say.

    Args:
        log_folder: `.sonic-pi/log`; need not exist.
    """
    ages = [(_changed(log_folder / name), name) for name in _READERS]
    for _, name in sorted((age, name) for age, name in ages if age is not None)[::-1]:
        found = _READERS[name](_tail(log_folder / name))
        if found is not None and 0 < found.port < 65_536:
            return found
    return None


def _token_of_environment() -> int | None:
    text = os.environ.get(TOKEN_VARIABLE, "")
    if not text:
        return None
    if not re.fullmatch(r"-?\d{1,10}", text):
        raise DeviceError(f"{TOKEN_VARIABLE} must be a whole number as Sonic Pi's logs show it")
    return int(text)


def _read_gui(text: str) -> Listening | None:
    numbers = re.findall(r"daemon_stdout: (-?\d+)", text)
    return _of_eight(numbers[-8:])


def _read_daemon(text: str) -> Listening | None:
    lines = re.findall(r"^\[[^\]]*\] ((?:-?\d+ ){7}-?\d+)\s*$", text, re.M)
    return _of_eight(lines[-1].split()) if lines else None


def _of_eight(numbers: list[str]) -> Listening | None:
    return Listening(int(numbers[2]), int(numbers[7])) if len(numbers) == 8 else None


def _read_spider(text: str) -> Listening | None:
    ports = re.findall(r"server_port(?:=>|: )(\d+)", text)
    tokens = re.findall(r"Token: (-?\d+)", text)
    return Listening(int(ports[-1]), int(tokens[-1])) if ports and tokens else None


def _read_server(text: str) -> Listening | None:
    ports = re.findall(r"Listen port: +(\d+)", text)
    return Listening(int(ports[-1]), None) if ports else None


_READERS: Final[dict[str, Callable[[str], Listening | None]]] = {
    "server-output.log": _read_server,
    "spider.log": _read_spider,
    "daemon.log": _read_daemon,
    "gui.log": _read_gui,
}


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime if path.is_file() else None
    except OSError:
        return None


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_BYTES))
            return log.read(LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _send(datagram: bytes, port: int) -> None:
    """Send to this machine; a port where nobody listens answers at once, another one not at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(_REFUSAL_SECONDS)
        try:
            sender.connect(("127.0.0.1", port))
            sender.send(datagram)
            sender.recv(1)
        except TimeoutError:
            return
        except OSError as error:
            raise DeviceError(
                f"Sonic Pi must listen on port {port}, but it does not ({error.strerror}); start "
                "it again, or set code_ranking.desk.sonic_pi.port"
            ) from error
