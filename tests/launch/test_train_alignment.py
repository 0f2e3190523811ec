"""The command that trains the paper's grid, on a few sounds and an encoder that counts letters."""

import numpy as np
import pytest

from corpus.sonic_pi.dataset import CheckConfig, Dataset, DatasetConfig, Job, checked_pair
from corpus.sonic_pi.renderer import Rendering
from corpus.sonic_pi.templating import Template
from launch import alignment_material, train_alignment
from models.alignment_training import PAPER_GRID
from models.audio_embedding import AudioSpace
from models.ridge import Ridge

RATE = 44_100
TEMPLATES = tuple(
    Template(name, f"use_synth :{name}\nplay {{{{ whole(40, 90) }}}}\n")
    for name in ("beep", "saw", "tri", "fm", "pluck")
)


class LetterCounts:
    """Stands in for a text encoder: how often each letter occurs."""

    n_read = 0

    def __init__(self, config):
        del config

    def embed(self, programs):
        LetterCounts.n_read += len(programs)
        counts = [[program.count(chr(c)) for c in range(32, 122)] for program in programs]
        return np.array(counts, dtype=np.float32)


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    monkeypatch.setattr(alignment_material, "TextEmbedding", LetterCounts)
    monkeypatch.setattr(LetterCounts, "n_read", 0)
    short = tuple(config.model_copy(update={"epochs": 1}) for config in PAPER_GRID)
    monkeypatch.setattr(train_alignment, "PAPER_GRID", short)
    rng = np.random.default_rng(0)
    with Dataset(tmp_path, DatasetConfig(renders=6, seconds=1), TEMPLATES) as dataset:
        for job in dataset.missing():
            dataset.add(checked_pair(job, _sound(job, rng), CheckConfig()))
    return tmp_path


def _sound(job: Job, rng):
    pitch, partials = float(job.code.split()[-1]), 1 + len(job.template)
    t = np.arange(RATE) / RATE
    hz = 440 * 2 ** ((pitch - 69) / 12)
    tone = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, partials))
    tone = (0.1 * tone * np.exp(-3 * t) + 1e-4 * rng.normal(size=RATE)).astype(np.float32)
    return Rendering((), (), (), 1.0, np.stack([tone, tone], axis=1), RATE)


def test_the_grid_is_run_once_and_printed_with_floors(dataset, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert train_alignment.main([str(dataset), "--runs", "1"]) == 0
    printed = capsys.readouterr().out
    assert "before training" in printed
    assert "cka_floor" in printed
    assert "21: 256/128/1/0.0001" in printed
    results = dataset / "alignment-text.jsonl"
    lines = results.read_text().splitlines()
    assert len(lines) == len(PAPER_GRID) + 1
    assert train_alignment.main([str(dataset), "--runs", "1"]) == 0
    assert results.read_text().splitlines() == lines
    assert LetterCounts.n_read == 30


def test_the_grid_is_aligned_with_what_a_pretrained_model_hears(dataset, tiny_wav2vec2, capsys):
    assert train_alignment.main([str(dataset), "--runs", "1", "--audio", tiny_wav2vec2]) == 0
    (results,) = dataset.glob("alignment-text-*.jsonl")
    assert len(results.read_text().splitlines()) == len(PAPER_GRID) + 1
    with np.load(next(dataset.glob("*wav2vec2*.npz"))) as kept:
        assert kept["described"].shape == (30, 16)
    capsys.readouterr()


@pytest.mark.slow
def test_programs_are_left_out_and_every_loss_compared(dataset, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert train_alignment.main([str(dataset), "--programs-out"]) == 0
    printed = capsys.readouterr().out
    for view in ("text", "sketch", "events"):
        for model in ("info_nce", "symmetric", "soft", "ridge"):
            assert f"{view}, {model}" in printed


def test_the_saved_regression_foresees_the_points_of_the_space_it_was_saved_with(dataset, tmp_path):
    assert train_alignment.main([str(dataset), "--runs", "1", "--save", str(tmp_path / "r")]) == 0
    material = alignment_material.load_material(
        dataset, alignment_material.TextEmbeddingConfig(), lambda _: None
    )
    real = AudioSpace.load(tmp_path / "r/space.safetensors").embed(material.sound)
    predicted = Ridge.load(tmp_path / "r/ridge.safetensors").predict(material.sketch)
    assert predicted.shape == real.shape
    missed = ((predicted - real) ** 2).sum() / ((real - real.mean(axis=0)) ** 2).sum()
    assert missed < 0.8


def test_views_are_computed_again_when_the_pairs_change(dataset):
    config = alignment_material.TextEmbeddingConfig()
    first = alignment_material.load_material(dataset, config, lambda _: None)
    assert first.sound.shape[0] == first.text.shape[0] == len(first.programs) == 30
    with Dataset(dataset, DatasetConfig(renders=7, seconds=1), TEMPLATES) as grown:
        for job in grown.missing():
            grown.add(checked_pair(job, _sound(job, np.random.default_rng(1)), CheckConfig()))
    described = []
    assert len(alignment_material.load_material(dataset, config, described.append).text) == 35
    assert sum(described) == 35  # five parts have grown
    described.clear()
    again = alignment_material.load_material(dataset, config, described.append)
    assert described == []
    assert again.programs.tolist() == [n for n in sorted(set(again.programs)) for _ in range(7)]


def test_no_data_set_is_refused_with_what_to_do(tmp_path, capsys):
    assert train_alignment.main([str(tmp_path)]) == 2
    assert "launch/render_corpus.py" in capsys.readouterr().err


def test_too_few_pairs_are_refused_with_what_to_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(alignment_material, "TextEmbedding", LetterCounts)
    rng = np.random.default_rng(0)
    with Dataset(tmp_path, DatasetConfig(renders=2, seconds=1), TEMPLATES) as dataset:
        for job in dataset.missing():
            dataset.add(checked_pair(job, _sound(job, rng), CheckConfig()))
    n_pairs = 2 * len(TEMPLATES)
    assert train_alignment.main([str(tmp_path), "--save", str(tmp_path / "model")]) == 2
    assert f"got {n_pairs} pairs of {len(TEMPLATES)} in" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_no_runs_are_refused_before_anything_is_read(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        train_alignment.main([str(tmp_path), "--runs", "0"])
    assert "--runs: must be at least 1, got 0" in capsys.readouterr().err


def test_a_file_in_place_of_the_data_set_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert train_alignment.main([str(tmp_path / "file"), "--save", str(tmp_path / "file")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ")
    assert "Errno" not in said
