import json
import shutil

import pytest

from corpus.manifest import MANIFEST_FILE
from launch.train_key import main
from models.key import KeyConfig

KEYS = ("C:maj", "D:maj", "E:maj", "G:maj", "A:maj")


@pytest.fixture
def annotated(corpora, tmp_path):
    corpus = shutil.copytree(corpora[0], tmp_path / "annotated")
    manifest = json.loads((corpus / MANIFEST_FILE).read_text())
    for song, name in zip(manifest["songs"], KEYS, strict=True):
        song["annotations"] = f"songs/{song['name']}.annotations.json"
        told = {"beats": [], "chords": [], "keys": [{"start": 0, "end": 99, "name": name}]}
        (corpus / song["annotations"]).write_text(json.dumps(told))
    (corpus / MANIFEST_FILE).write_text(json.dumps(manifest))
    return corpus


def test_a_key_is_learned_printed_as_settings_and_measured_on_validation_songs(annotated, capsys):
    assert main([str(annotated), "--window", "0.25", "--steps", "3"]) == 0
    printed = capsys.readouterr()
    assert KeyConfig.model_validate(json.loads(printed.out)) != KeyConfig()
    assert "default, windows of 0.25 s: right" in printed.err
    assert "learned, windows of 0.25 s: right" in printed.err


def test_songs_without_annotated_keys_teach_none(corpora, refusal, capsys):
    code = main([str(corpora[0]), "--window", "0.25"])
    assert "annotated keys" in refusal(code, capsys.readouterr().err)
