"""A running Sonic Pi is found by its logs, and a program reaches it."""

import os
import socket

import pytest
from pythonosc.osc_message import OscMessage

from actors.devices.audio import DeviceError
from actors.devices.sonic_pi import (
    LONGEST_PROGRAM,
    TOKEN_VARIABLE,
    Listening,
    SonicPi,
    SonicPiConfig,
    find_listening,
)

GUI = "".join(
    f"[API] [INFO ] : daemon_stdout: {n}\n"
    for n in (29922, 29917, 29916, 29918, 4560, 29919, 29921, -1697010162)
)
LOGS = {
    "gui.log": ("[API] [INFO ] : Started...\n" + GUI, Listening(29916, -1697010162)),
    "daemon.log": (
        "[2026-01-02 10:00:00] Selected ports: \n"
        "[2026-01-02 10:00:01] 1001 1002 31003 1004 4560 1006 1007 77\n",
        Listening(31003, 77),
    ),
    "spider.log": (
        "Ports: {:server_port=>35516, :gui_port=>35517}\nToken: -12\n",
        Listening(35516, -12),
    ),
    "server-output.log": ("Detecting...\nListen port: 4557\n  - OK\n", Listening(4557, None)),
}


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


@pytest.fixture
def listener():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        yield listener


def logs(home, **files):
    folder = home / ".sonic-pi" / "log"
    folder.mkdir(parents=True, exist_ok=True)
    for age, (name, text) in enumerate(files.items()):
        path = folder / name
        path.write_text(text)
        os.utime(path, (1000 - age, 1000 - age))
    return folder


@pytest.mark.parametrize("name", LOGS)
def test_each_log_tells_the_port_and_the_token(tmp_path, name):
    text, expected = LOGS[name]
    assert find_listening(logs(tmp_path, **{name: text})) == expected


def test_the_newest_log_that_says_something_counts(tmp_path):
    texts = {
        "daemon.log": "cut off [20",
        "server-output.log": LOGS["server-output.log"][0],
        "gui.log": GUI,
    }
    assert find_listening(logs(tmp_path, **texts)) == Listening(4557, None)


def test_without_logs_nothing_is_found(tmp_path):
    assert find_listening(tmp_path / "nowhere") is None
    assert find_listening(logs(tmp_path, **{"spider.log": "\xff no ports"})) is None


def test_a_program_is_sent_with_the_token(tmp_path, listener):
    port = listener.getsockname()[1]
    logs(tmp_path, **{"spider.log": f"Ports: {{server_port: {port}}}\nToken: -5\n"})
    where = SonicPi(SonicPiConfig(home=tmp_path)).play("play :c4 # ♪")
    message = OscMessage(listener.recv(65_536))
    assert (message.address, message.params) == ("/run-code", [-5, "play :c4 # ♪"])
    assert str(port) in where


def test_version_three_wants_no_token(tmp_path, listener):
    port = listener.getsockname()[1]
    SonicPi(SonicPiConfig(home=tmp_path, port=port)).play("play 60")
    assert OscMessage(listener.recv(65_536)).params == ["antiphon", "play 60"]


def test_the_token_may_come_from_the_environment(tmp_path, listener, monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, "-7")
    port = listener.getsockname()[1]
    SonicPi(SonicPiConfig(home=tmp_path, port=port)).play("play 60")
    assert OscMessage(listener.recv(65_536)).params == [-7, "play 60"]
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    with pytest.raises(DeviceError, match="whole number") as refused:
        SonicPi(SonicPiConfig(home=tmp_path, port=port)).play("play 60")
    assert "secret" not in str(refused.value)


def test_no_sonic_pi_and_a_sonic_pi_that_has_gone_are_one_sentence(tmp_path, listener):
    with pytest.raises(DeviceError, match="must be running"):
        SonicPi(SonicPiConfig(home=tmp_path)).play("play 60")
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(DeviceError, match=f"must listen on port {port}"):
        SonicPi(SonicPiConfig(home=tmp_path, port=port)).play("play 60")


def test_a_program_that_no_datagram_carries_is_refused(tmp_path):
    with pytest.raises(DeviceError, match="at most"):
        SonicPi(SonicPiConfig(home=tmp_path, port=4557)).play("é" * LONGEST_PROGRAM)
