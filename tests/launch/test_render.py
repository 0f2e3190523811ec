"""The command that renders one program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from launch import render

pytestmark = pytest.mark.usefixtures("needs_sonic_pi")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "tune.rb"
    file.write_text("play 60\nputs 'hello'")
    return file


def test_a_program_becomes_a_sound_file(program: Path, tmp_path: Path):
    out = tmp_path / "out.wav"

    assert render.main([str(program), "--seconds", "1.5", "--out", str(out)]) == 0

    audio, sample_rate = soundfile.read(out)
    assert audio.shape == (66_150, 2)
    assert sample_rate == 44_100
    assert abs(audio).max() > 0.05


def test_the_sound_lies_beside_the_program_unless_told_otherwise(program: Path):
    assert render.main([str(program), "--seconds", "0.5"]) == 0

    assert program.with_suffix(".wav").is_file()


def test_events_can_be_written_too(program: Path, tmp_path: Path):
    events = tmp_path / "events.json"

    render.main([str(program), "--seconds", "1", "--events", str(events)])

    written = json.loads(events.read_text())
    assert written["events"][0]["name"] == "beep"
    assert written["log"] == ['"hello"']


def test_errors_of_the_program_are_told_without_a_traceback(
    program: Path, capsys: pytest.CaptureFixture[str]
):
    program.write_text("play 60\nuse_synth :nosuch\nplay 62")

    assert render.main([str(program), "--seconds", "1"]) == 1

    said = capsys.readouterr()
    assert "line 3: runtime error" in said.err
    assert "Traceback" not in said.err
    assert "1 events" in said.out


@pytest.mark.parametrize(
    ("contents", "arguments", "words"),
    [
        (b"play 60 \xff", [], "must be UTF-8"),
        (b"play 60", ["--seconds", "-1"], "seconds must be in"),
        (b"play 60", ["--sonic-pi", "/dev/null"], "apt-get install"),
        (b"play 60", ["--out", "/dev/null/x.wav"], "/dev/null/x.wav"),
        (b"play 60", ["--out", "sound"], "--out must end in .wav, got sound"),
        (b"play 60", ["--out", "sound.mp3"], "--out must end in .wav, got sound.mp3"),
        (b"play 60", ["--events", "no/dir/e.json"], "--events must be in a folder that is there"),
        (b"play 60", ["--events", "/"], "--events must name a file"),
        (b"#" * 4_000_001, [], "must have at most 1000000 characters"),
        (None, [], "tune.rb: No such file"),
    ],
)
def test_what_cannot_be_rendered_is_refused_in_one_line(
    program: Path,
    capsys: pytest.CaptureFixture[str],
    contents: bytes | None,
    arguments: list[str],
    words: str,
):
    if contents is None:
        program.unlink()
    else:
        program.write_bytes(contents)

    assert render.main([str(program), *arguments]) == 2

    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not list(program.parent.glob("*.wav*"))


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path, capsys):
    os.mkfifo(tmp_path / "pipe.rb")

    assert render.main([str(tmp_path / "pipe.rb")]) == 2

    assert "must be a file with a program" in capsys.readouterr().err


@pytest.mark.parametrize("part", [".tune.wav.part", ".e.json.part"])
def test_where_a_file_cannot_be_written_none_is(program: Path, capsys, part: str):
    (program.parent / part).symlink_to("/dev/full")
    arguments = [str(program), "--seconds", "0.2", "--events", str(program.parent / "e.json")]

    assert render.main(arguments) == 2

    assert "No space left on device" in capsys.readouterr().err
    assert not {"tune.wav", "e.json"} & {path.name for path in program.parent.iterdir()}


def test_a_byte_order_mark_is_no_part_of_a_program(program: Path):
    program.write_bytes(b"\xef\xbb\xbfplay 60")

    assert render.main([str(program), "--seconds", "0.2"]) == 0


def test_a_program_has_no_power_over_the_terminal(program: Path, capsys):
    program.write_text('raise "\\e[2Jboo"')

    assert render.main([str(program), "--seconds", "0.2"]) == 1

    assert "RuntimeError: \\x1b[2Jboo" in capsys.readouterr().err


def test_the_command_runs_as_a_file_from_anywhere(program: Path, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, str(Path(render.__file__)), str(program), "--seconds", "0.5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 events" in done.stdout
