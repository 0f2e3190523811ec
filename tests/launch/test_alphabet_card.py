import json

import numpy as np
import pytest
import soundfile

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


def test_the_same_corpus_and_seed_give_the_same_card(corpus, tmp_path):
    for name in ("a", "b"):
        main([str(corpus), "--out", str(tmp_path / name), "--measure", "train", "--classes", "4"])
    for name in ("card.html", "card.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


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
