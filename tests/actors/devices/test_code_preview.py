"""A program is heard before it is played: into a file, never into the room."""

import contextlib
import sys

import numpy as np
import pytest
import soundfile

from actors.devices.audio import DeviceError
from actors.devices.code_preview import PreviewConfig, Previewer, PreviewJob, check_headphones
from corpus.sonic_pi.install import InstallConfig

BEAT = "live_loop :beat do\n  sample :bd_haus\n  sleep 0.5\nend"


@pytest.fixture(scope="module")
def previewer(needs_sonic_pi, tmp_path_factory):
    previewer = Previewer(
        PreviewConfig(seconds=1.5), tmp_path_factory.mktemp("run"), InstallConfig()
    )
    yield previewer
    previewer.close()


def test_a_preview_is_a_whole_sound_file_in_the_folder_of_the_run(previewer):
    preview = previewer.hear(PreviewJob("../osc-1", 2, BEAT))
    assert (preview.error, preview.detail.startswith("previews/")) == ("", True)
    path = previewer._folder.parent / preview.detail
    samples, rate = soundfile.read(path)
    assert samples.shape == (round(1.5 * rate), 2)
    assert np.abs(samples).max() > 0.05
    assert path.name == "___osc-1-candidate-3.wav"
    assert not list(path.parent.glob("*.part"))


def test_what_cannot_be_heard_is_one_sentence(previewer):
    for program, why in (("play (", "syntax"), ("sleep 1", "silent")):
        preview = previewer.hear(PreviewJob("osc-1", 0, program))
        assert preview.detail == ""
        assert why in preview.error


def test_a_folder_that_cannot_be_written_is_one_sentence(previewer, tmp_path):
    (tmp_path / "previews").write_text("in the way")
    blocked = Previewer(PreviewConfig(seconds=1), tmp_path, InstallConfig())
    blocked._renderer = previewer._renderer
    assert "must be written" in blocked.hear(PreviewJob("osc-1", 0, BEAT)).error


def test_without_sonic_pi_there_is_a_sentence_that_says_what_to_install(tmp_path):
    nowhere = InstallConfig(root=tmp_path)
    preview = Previewer(PreviewConfig(), tmp_path, nowhere).hear(PreviewJob("osc-1", 0, BEAT))
    assert "apt-get install" in preview.error
    assert not (tmp_path / "previews").exists()


class PortAudio:
    """Stands for the sounddevice module: two cards, and what was played on which."""

    class PortAudioError(Exception):
        pass

    def __init__(self):
        self.cards = [
            {"index": k, "name": name, "max_output_channels": 2}
            for k, name in enumerate(("Speaker", "Phones"))
        ]
        self.played = []

    def query_devices(self, device=None, kind=None):
        assert kind == "output"
        for card in self.cards:
            if device is None or device == card["index"] or str(device) in card["name"]:
                return card
        raise ValueError(f"No {kind} device matching {device!r}")

    def OutputStream(self, *, device, samplerate, channels, dtype):  # noqa: N802 - PortAudio's name
        assert (samplerate, channels, dtype) == (44_100, 2, "float32")
        played = self.played

        class Stream(contextlib.nullcontext):
            def write(self, samples):
                played.append((device, len(samples)))

        stream = Stream()
        stream.enter_result = stream
        return stream


@pytest.fixture
def portaudio(monkeypatch):
    module = PortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


@pytest.mark.usefixtures("portaudio")
@pytest.mark.parametrize("same", [("Speaker", ""), ("0", "Speaker"), ("Phones", "1")])
def test_the_main_output_is_never_taken_for_headphones(same):
    with pytest.raises(DeviceError, match="another device than the main output"):
        check_headphones(*same)


@pytest.mark.usefixtures("portaudio")
@pytest.mark.parametrize("apart", [("Phones", ""), ("1", "Speaker"), ("Speaker", None)])
def test_headphones_of_their_own_will_do(apart):
    check_headphones(*apart)


def test_a_preview_sounds_on_the_headphones_until_a_newer_one_is_wanted(portaudio, tmp_path):
    wanted = iter([True] * 3 + [False])
    previewer = Previewer(
        PreviewConfig(output="Phones"), tmp_path, InstallConfig(), lambda: next(wanted)
    )
    previewer._play(np.zeros((44_100, 2), np.float32), 44_100)
    assert portaudio.played == [(1, 4410)] * 3


def test_headphones_that_are_not_there_are_refused_before_the_music_begins():
    for main_output in ("", None):
        with pytest.raises(DeviceError):
            check_headphones("no such device 7f3a", main_output)
    check_headphones(None, "")
