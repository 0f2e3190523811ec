import json

import numpy as np
import pytest
import soundfile

from corpus.listening_events import split_listens, write_listens
from corpus.simulated_audience import AudienceConfig, simulate_audience
from launch.taste import main, read_attributes
from launch.taste_table import Material, measure
from models.taste import AlignerV2, TasteConfig
from models.taste_checkpoint import load_aligner

RATE = 22_050


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixteen short tones, low to high, and their attributes."""
    path = tmp_path_factory.mktemp("audio")
    t = np.arange(RATE) / RATE
    rows = ["name,height"]
    for k in range(16):
        tone = 0.3 * np.sin(2 * np.pi * 110 * 2 ** (k / 4) * t) * np.exp(-3 * (t % 0.25))
        soundfile.write(path / f"tone {k:02d}.wav", tone.astype(np.float32), RATE)
        rows.append(f"tone {k:02d},{k / 8 - 1}")
    (path / "attributes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_listens_and_a_folder_give_a_model_and_figures_on_songs_not_trained_on(folder, tmp_path):
    plays = {
        (f"user {u:02d}", f"tone {k:02d}"): 1 + k % 2
        for u in range(20)
        for k in (range(10) if u % 2 else range(6, 16))
    }
    write_listens(tmp_path / "listens.tsv", plays)
    out = tmp_path / "out"
    arguments = ["--events", str(tmp_path / "listens.tsv"), "--audio", str(folder)]
    assert main([*arguments, "--out", str(out), "--epochs", "3"]) == 0
    report = json.loads((out / "taste.json").read_text(encoding="utf-8"))
    assert report["users"] == 20
    assert report["known_users_on_unseen_songs"]["n"] == 16 * 3
    aligner, card = load_aligner(out / "taste.safetensors")
    assert aligner.users.num_embeddings == 16
    assert card["encoder"] == "descriptors-3"


def test_a_simulated_audience_over_a_folder_gives_the_whole_table(folder, tmp_path):
    out = tmp_path / "out"
    arguments = ["--simulate", "--audio", str(folder), "--out", str(out), "--epochs", "2"]
    table = ["--attributes", str(folder / "attributes.csv"), "--listeners", "12"]
    assert main([*arguments, *table]) == 0
    report = json.loads((out / "taste.json").read_text(encoding="utf-8"))
    assert set(report["unseen_users_by_likes"]) == {"0", "5", "10", "20", "50", "ceiling"}
    assert len(report["approximated_users"]["by_fit"]) == 6
    assert (out / "taste.png").read_bytes().startswith(b"\x89PNG")


def test_a_missing_argument_is_one_sentence_and_no_traceback(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "out")]) == 2
    assert "--events and --audio must both be given" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_listens_that_are_not_there_are_told_before_anything_is_heard(tmp_path, capsys):
    listens = ["--events", str(tmp_path / "none.tsv"), "--audio", str(tmp_path / "no songs")]
    assert main([*listens, "--out", str(tmp_path / "out")]) == 2
    assert "--events must be a file of listens" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [
        ("songs", "0", 10), ("songs", "-3", 10), ("listeners", "0", 5), ("epochs", "0", 1),
        ("seed", "-1", 0), ("minutes-limit", "nan", 0),
    ],
)  # fmt: skip
def test_too_little_to_learn_from_is_refused_up_front(option, value, least, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(SystemExit, match="2"):
        main(["--simulate", f"--{option}", value, "--out", str(out)])
    assert f"--{option}: must be at least {least}" in capsys.readouterr().err
    assert not out.exists()


def test_attributes_must_name_every_song(folder, tmp_path):
    with pytest.raises(ValueError, match="none for 'another'"):
        read_attributes(folder / "attributes.csv", ["tone 00", "another"])
    (tmp_path / "words.csv").write_text("name,x\nsong,high\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must hold numbers"):
        read_attributes(tmp_path / "words.csv", ["song"])


def test_the_ceiling_stands_above_a_model_that_has_learned_nothing():
    rng = np.random.default_rng(0)
    layers = rng.normal(size=(60, 2, 4)).astype(np.float32)
    audience = simulate_audience(rng.uniform(-1, 1, (60, 3)), AudienceConfig(n_listeners=20))
    material = Material(layers, audience, split_listens(20, 60))
    config = TasteConfig(user_dim=4, hidden_dim=8, shared_dim=4)
    report = measure(material, AlignerV2(config, len(material.parts.known), 2, 4))
    known = report["known_users"]
    assert known["ceiling: hidden taste"]["roc_auc"] > 0.85
    assert known["taste model"]["roc_auc"] == pytest.approx(0.5, abs=0.15)
