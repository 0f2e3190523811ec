"""The paired-tracks table from a command line to a page, and what stops it."""

import json
import shutil

import pytest
import yaml

from launch.paired_tracks_table import main
from models.bundle import Bundle
from models.paper_transformer import PaperConfig

SMALL = {
    "n_layers": 1, "n_heads": 2, "width": 16, "horizon": 2, "context_seconds": 3,
    "sequence_seconds": 6, "max_steps": 25, "batch_size": 8, "learning_rate": 0.01,
    "history_seconds": [1, 4],
}  # fmt: skip


@pytest.fixture
def asked(corpora, tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump(SMALL))
    return [
        "--corpus", *map(str, corpora), "--out", str(tmp_path / "table"), "--window", "0.25",
        "--alphabet", "4", "--alphabet", "8", "--config", str(config), "--judged-windows", "1000",
    ]  # fmt: skip


def test_a_table_of_two_configurations_and_seeds_beside_the_papers_model(
    asked, tmp_path, monkeypatch, capsys
):
    tiny = PaperConfig(n_layers=1, n_heads=2, width=16, feed_forward=32, batch_size=4)
    monkeypatch.setattr(
        "launch.paired_tracks_paper.PaperConfig", lambda **told: tiny.model_copy(update=told)
    )
    # two test songs are too few to follow their keys and still compare counting with counting
    as_heard = yaml.safe_dump({**SMALL, "key_normalised": False})
    (tmp_path / "small.yaml").write_text(as_heard)
    more = ["--paper", "0.25s_A8", "--paper-seconds", "0.2", "--paper-windows", "150"]
    assert main([*asked, "--seeds", "2", *more]) == 0
    out = tmp_path / "table"
    table = json.loads((out / "table.json").read_text())
    assert list(table["rows"]) == ["0.25s_A4", "0.25s_A8"]
    for row in table["rows"].values():
        assert row["seeds"] == [0, 1]
        assert row["songs"] == 2
        assert row["bits"]["sampled uniform"] > row["bits"]["sampled p(y|x)"]
        assert row["gains"]["bits"]["low"] <= row["gains"]["bits"]["mean"]
        assert row["tpp"]["greedy p(y|x)"] >= row["tpp"]["greedy majority"]
        assert row["run"]["truth"] >= 1
    assert set(table["by_collection"]) == {"pop-corpus", "folk-corpus"}
    assert table["paper"][0]["steps"] > 0
    assert set(table["paper"][0]["throughput"]) == {"ours", "paper"}
    assert table["notices"] == []
    assert all(
        "lcp" not in one for found in table["by_collection"].values() for one in found.values()
    )
    page = (out / "table.html").read_text()
    assert page.count("data:image/png;base64,") == 6
    assert "repeat the last" in page
    told = capsys.readouterr().err
    assert "seed 1" in told
    weights = (out / "cells" / "0.25s_A4-1.safetensors").stat().st_mtime_ns
    (out / "cells" / "0.25s_A8-1.json").unlink()
    again = []
    monkeypatch.setattr(
        "launch.paired_tracks_table.write_page", lambda _, table: again.append(table)
    )
    assert main([*asked, "--seeds", "2", *more]) == 0  # only what is missing is made
    said = capsys.readouterr().err
    assert "0.25s_A8 seed 1" in said
    assert "0.25s_A4" not in said
    assert (out / "cells" / "0.25s_A4-1.safetensors").stat().st_mtime_ns == weights
    for name, row in again[0]["rows"].items():
        assert row["tpp"] == table["rows"][name]["tpp"]
        assert row["bits"] == table["rows"][name]["bits"]


def test_results_of_another_command_are_not_mixed_in(asked, tmp_path, capsys):
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "asked.json").write_text('{"corpora": ["others"]}')
    assert main(asked) == 2
    assert "holds results of other corpora or settings" in " ".join(capsys.readouterr().err.split())


def test_a_corpus_imported_again_makes_another_table(asked, corpora, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments):
        arguments[4]()  # labels are made
        raise KeyboardInterrupt

    shutil.copytree(corpora[0], tmp_path / "pop-corpus")
    given = [str(tmp_path / "pop-corpus") if one == str(corpora[0]) else one for one in asked]
    monkeypatch.setattr("launch.paired_tracks_table.run_cell", interrupted)
    assert main(given) == main(given) == 130
    manifest = tmp_path / "pop-corpus" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"content": "', '"content": "0', 1))
    assert main(given) == 2
    assert "holds results of other corpora" in " ".join(capsys.readouterr().err.split())


def test_a_mistyped_corpus_leaves_the_folder_as_it_was(asked, tmp_path, capsys):
    wrong = [one.replace("pop-corpus", "pup-corpus") for one in asked]
    assert main(wrong) == 2
    assert "import it first" in " ".join(capsys.readouterr().err.split())
    assert main(["0.4" if one == "0.25" else one for one in asked]) == 2  # no such features
    assert not (tmp_path / "table" / "asked.json").exists()


@pytest.mark.parametrize(
    ("option", "lowest"),
    [("--seeds", 1), ("--alphabet", 2), ("--judged-windows", 1), ("--paper-windows", 1)],
)
def test_numbers_that_are_too_small_are_refused(asked, option, lowest, capsys):
    with pytest.raises(SystemExit):
        main([*asked, option, "0"])
    assert f"must be at least {lowest}, got 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--paper", "big"], "--paper must name a configuration such as 0.5s_A64, got big"),
        (["--window", "0.4"], "import it again with --window 0.4"),
        (["--bundle", "0.5s_A64", "x"], "--bundle must name a configuration of the table"),
        (["--steps", "0"], "max_steps: Input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(asked, more, message, capsys):
    given = asked
    if "--window" in more:
        given = [one for one in asked if one not in ("--window", "0.25")]
    assert main([*given, *more]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert message in told
    assert "Traceback" not in told


def test_a_folder_that_is_no_bundle_is_refused_before_anything_is_trained(asked, tmp_path, capsys):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "work.txt").write_text("mine")
    assert main([*asked, "--bundle", "0.25s_A8", str(tmp_path / "precious")]) == 2
    assert "is neither" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "table" / "cells").exists()


def test_a_bundle_is_written_and_an_interrupted_table_keeps_what_is_done(
    asked, tmp_path, monkeypatch, capsys
):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("launch.paired_tracks_table.write_page", lambda *_: None)
    bundle = ["--bundle", "0.25s_A8", str(tmp_path / "bundle")]
    assert main([*asked, "--alphabet", "2000", "--seeds", "1", *bundle]) == 0
    assert "0.25s_A2000 has an alphabet of" in " ".join(capsys.readouterr().err.split())
    card = Bundle.load(tmp_path / "bundle").card
    assert card.key_normalised
    assert card.n_labels == 8
    assert len(card.trained["corpora"]["pop-corpus"]["train"]) == 3
    assert card.measured["gains"]["bits"]["over"].startswith("sampled")
    monkeypatch.setattr("launch.paired_tracks_jobs.fit", interrupt)
    assert main([*asked, "--seeds", "2"]) == 130
    assert "goes on where this was" in capsys.readouterr().err
    assert (tmp_path / "table" / "cells" / "0.25s_A4-0.json").exists()
    assert not (tmp_path / "table" / "cells" / "0.25s_A4-1.json").exists()
