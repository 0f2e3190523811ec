"""The tables: one small run for each row, and beneath them what these runs were."""

import pytest

from launch import evolution_tables
from launch.evolution_tables import TABLES, main

TINY = (
    "seconds=0.6", "taste.catalogue=24", "taste.listeners=20", "workers=0", "surrogate=false",
)  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def drawn(cache, tmp_path, monkeypatch, capsys):
    """The text of a table, with its first row alone."""

    def draw(table, *options):
        title, settings, rows = TABLES[table]
        monkeypatch.setitem(evolution_tables.TABLES, table, (title, settings, rows[:1]))
        arguments = ["--out", str(tmp_path), "--tables", table, *options]
        for setting in (*TINY, f"cache={cache}"):
            arguments += ["--set", setting]
        assert main(arguments) == 0
        text = (tmp_path / "tables.md").read_text()
        assert capsys.readouterr().out == text
        return text

    return draw


def test_a_table_says_what_was_run_and_that_no_language_model_was_asked(drawn):
    text = drawn("I", "--generations", "2", "--population", "4")
    assert "Generations: 2; population: 4; clips of 0.6 s; seed 0; surrogate off." in text
    assert "No language model was asked: all texts come from operators without one." in text
    [row] = [line for line in text.splitlines() if line.startswith("| dynamic 0, true |")]
    best, final = (float(cell) for cell in row.split("|")[2:4])
    assert best >= final


def test_a_population_smaller_than_the_papers_is_named(drawn):
    text = drawn("III", "--generations", "1", "--population", "4")
    assert "| dynamic 0, population 25, tournament 4 (here 4) |" in text
    assert "language model" not in text


def test_a_run_that_cannot_be_made_ends_the_tables(tmp_path, capsys):
    assert main(["--out", str(tmp_path), "--set", "taste.user=999", "--tables", "IV"]) == 2
    assert "taste.user must be one of" in capsys.readouterr().err
    assert not (tmp_path / "tables.md").exists()


@pytest.mark.parametrize("option", [["--generations", "0"], ["--population", "3"]])
def test_sizes_that_cannot_be_are_refused_by_the_parser(option, tmp_path):
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path), *option])
