import json

import mido
import numpy as np
import pytest
import soundfile

from corpus.manifest import load_manifest
from launch.alphabet_card import main
from launch.import_corpus import main as import_corpus

RATE = 8000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Ten songs of two stems: a tune, and the same tune a third lower."""
    folder = tmp_path_factory.mktemp("corpus")
    for index in range(10):
        pitches = np.random.default_rng(index).integers(60, 72, 30)
        for name, shift in (("high", 12), ("low", -4)):
            hertz = (440 * 2 ** ((pitches + shift - 69) / 12)).repeat(RATE // 2)
            phase = np.cumsum(2 * np.pi * hertz / RATE)
            sound = 0.2 * (np.sin(phase) + 0.4 * np.sin(2 * phase))
            path = folder / f"in/{index}/{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound, RATE)
    arguments = ["--sample-rate", str(RATE), "--window", "0.5", "--split", "seed"]
    assert import_corpus([str(folder / "in"), "--out", str(folder / "out"), *arguments]) == 0
    return folder / "out"


def test_a_card_is_written_as_page_picture_and_figures(corpus, tmp_path, capsys):
    arguments = [str(corpus), "--out", str(tmp_path), "--measure", "train"]
    assert main([*arguments, "--classes", "4", "--classes", "8"]) == 0
    figures = json.loads((tmp_path / "card.json").read_text())
    assert [card["n_classes"] for card in figures["cards"]] == [4, 8]
    assert figures["cards"][1]["relation"]["high – low"]["bits"] > 0.5
    assert "fitted on too" in figures["notices"][0]
    assert (tmp_path / "card-8-0.5s.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "card.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page
    assert "relation, high – low" in capsys.readouterr().err


def test_all_songs_that_were_not_learned_from_are_measured_together(corpus, tmp_path):
    roles = [song.role for song in load_manifest(corpus).used]
    assert main([str(corpus), "--out", str(tmp_path), "--measure", "unseen", "--classes", "4"]) == 0
    figures = json.loads((tmp_path / "card.json").read_text())
    assert figures["cards"][0]["n_songs"] == roles.count("validation") + roles.count("test")
    assert figures["notices"][0].endswith("unseen songs never used.")


def test_the_same_corpus_and_seed_give_the_same_card(corpus, tmp_path):
    for name in ("a", "b"):
        main([str(corpus), "--out", str(tmp_path / name), "--measure", "train", "--classes", "4"])
    for name in ("card.html", "card.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.usefixtures("needs_synthesizer")
def test_segments_of_a_beat_are_measured_where_beats_are_known(tmp_path, capsys):
    for index in range(3):
        file = mido.MidiFile(ticks_per_beat=480)
        file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=600_000 + index)]))
        for shift in (0, -8):
            track = mido.MidiTrack([mido.Message("program_change", program=70, channel=-shift)])
            for pitch in np.random.default_rng(index).integers(60, 72, 24).tolist():
                on = {"note": pitch + shift, "channel": -shift}
                track.append(mido.Message("note_on", velocity=90, **on))
                track.append(mido.Message("note_off", time=480, **on))
            file.tracks.append(track)
        (tmp_path / "in").mkdir(exist_ok=True)
        file.save(tmp_path / f"in/{index}.mid")
    out = str(tmp_path / "out")
    rate = ["--sample-rate", "8000", "--window", "0.05", "--split", "seed", "--twins"]
    assert import_corpus([str(tmp_path / "in"), "--out", out, *rate]) in (0, 2)
    manifest = tmp_path / "out/manifest.json"
    manifest.write_text(
        manifest.read_text().replace('"validation"', '"train"').replace('"test"', '"train"')
    )
    arguments = [out, "--out", str(tmp_path / "card"), "--measure", "train", "--classes", "4"]
    assert main([*arguments, "--beats", "1"]) == 0
    (card,) = json.loads((tmp_path / "card/card.json").read_text())["cards"]
    assert card["window_seconds"] == pytest.approx(0.6, abs=0.01)
    assert card["relation"]["all"]["n_pairs"] > 60
    assert "Windows of 1/1 beat" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{corpus}"], "needs a training song and two songs"),
        (["nowhere"], "import it first"),
        (["{corpus}", "--measure", "train", "--window", "0.35"], "--window 0.35"),
        (["{corpus}", "--measure", "train", "--classes", "5000"], "smaller alphabet"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(corpus, tmp_path, capsys, arguments, message):
    filled = [one.replace("{corpus}", str(corpus)) for one in arguments]
    assert main([*filled, "--out", str(tmp_path)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert message in told
    assert "Traceback" not in told
