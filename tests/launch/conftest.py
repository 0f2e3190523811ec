"""Corpora to train on, imported as a user would; sounds, and the stage as a command."""

import json
import os
import signal

import numpy as np
import pytest
import soundfile

from launch import stage
from launch.import_corpus import main as import_corpus

RATE, WINDOW = 8000, 0.25
SOUND_RATE = 44_100
MAJOR = np.array([0, 4, 7, 5, 9, 0, 7, 2])


def write_stem(path, pitches):
    """One tone of three partials per window."""
    times = np.arange(round(RATE * WINDOW)) / RATE
    tones = 440 * 2 ** ((np.asarray(pitches) - 69) / 12)[:, None]
    sound = sum(np.sin(2 * np.pi * n * tones * times) / n for n in (1, 2, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, (0.2 * sound * np.sin(np.pi * times / WINDOW * 0.98)).ravel(), RATE)


def write_song(folder, seed, key=0, n_windows=80):
    """A melody and a bass a fifth below it, one window later, in some key."""
    degrees = np.random.default_rng(seed).integers(0, 8, n_windows)
    write_stem(folder / "melody.wav", 72 + key + MAJOR[degrees])
    write_stem(folder / "bass.wav", 53 + key + MAJOR[np.roll(degrees, 1)])


def imported(folder, *more):
    out = folder.with_name(f"{folder.name}-corpus")
    arguments = [str(folder), "--out", str(out), "--sample-rate", "8000", "--window", "0.25", *more]
    assert import_corpus(arguments) == 0
    return out


@pytest.fixture(scope="session")
def corpora(tmp_path_factory):
    """Two corpora of five songs in different keys."""
    root = tmp_path_factory.mktemp("corpora")
    for place, name in enumerate(("pop", "folk")):
        for i in range(5):
            write_song(root / name / f"song {i}", 10 * place + i, key=(5 * i) % 12)
    return [imported(root / name) for name in ("pop", "folk")]


@pytest.fixture(scope="session")
def make_stem():
    """Writes one stem."""
    return write_stem


@pytest.fixture(scope="session")
def make_corpus_song():
    """Writes the stems of one song."""
    return write_song


@pytest.fixture(scope="session")
def import_songs():
    """Imports a folder of songs."""
    return imported


def melody(seconds, rate=SOUND_RATE, channels=2):
    """Four notes, half a second each, over and over; shape (frames, channels)."""
    t = np.arange(round(seconds * rate)) / rate
    hertz = np.array([262.0, 330.0, 392.0, 523.0])[(2 * t).astype(int) % 4]
    sound = 0.3 * np.exp(-2 * (t % 0.5)) * np.sin(2 * np.pi * hertz * t)
    return np.repeat(sound[:, None], channels, axis=1).astype(np.float32)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory):
    """A folder of good and bad audio files."""
    folder = tmp_path_factory.mktemp("sounds")

    def write(name, samples, rate=SOUND_RATE, **options):
        soundfile.write(folder / name, samples, rate, **options)

    write("good.wav", melody(2))
    write("mono.wav", melody(2, channels=1))
    write("six.wav", melody(2, channels=6))
    write("telephone.wav", melody(2, 8_000), 8_000)
    write("studio.wav", melody(2, 192_000), 192_000)
    write("silent.wav", np.zeros((2 * SOUND_RATE, 2)))
    write("one_second.wav", melody(1))
    write("blip.wav", melody(0.3))
    write("a [bold]name [red] ünd.wav", melody(2))
    write("zero.wav", np.zeros((0, 2)))
    with_nan = melody(2)
    with_nan[SOUND_RATE] = np.nan
    write("nan.wav", with_nan, subtype="FLOAT")
    write("loud.wav", 100 * melody(2), subtype="FLOAT")
    for name in ("whole.flac", "whole.ogg"):
        write(name, melody(2))
    for name, whole in (("cut.wav", "good.wav"), ("cut.flac", "whole.flac"),
                        ("cut.ogg", "whole.ogg")):  # fmt: skip
        content = (folder / whole).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is no sound\n" * 20)
    (folder / "folder.wav").mkdir()
    os.mkfifo(folder / "pipe.wav")
    return folder


@pytest.fixture
def command(sounds, tmp_path, monkeypatch, capsys):
    """Runs the stage in the folder of the sounds; gives the exit code and what was printed."""
    monkeypatch.chdir(sounds)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def run(*arguments, out=tmp_path / "run", replay="good.wav", memory=("good.wav",)):
        lines = ["--pace", "fast", "--replay", replay, "--memory", *memory, "--out", out]
        lines += ["--set", f"cache={tmp_path.parent / 'cache'}", *arguments]
        code = stage.main([str(argument) for argument in lines])
        assert handlers == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def refusal():
    """Gives the one sentence of a command that did not start, from its code and what it printed."""

    def sentence(code, printed):
        assert code == 2
        assert "Traceback" not in printed
        lines = printed.splitlines()
        assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
        return lines[-1]

    return sentence


@pytest.fixture
def report():
    """Reads the report of a run's folder."""
    return lambda folder: json.loads((folder / "report.json").read_text(encoding="utf-8"))
