import os
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from launch.config import ConfigError, load_config


class Section(BaseModel, frozen=True, extra="forbid"):
    top_p: float = Field(0.8, gt=0, le=1)
    name: str = "a"


class Whole(BaseModel, frozen=True, extra="forbid"):
    section: Section = Section()
    seed: int = 0
    files: list[Path] = []


def config_file(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_then_options_then_assignments(tmp_path):
    path = config_file(tmp_path, "seed: 1\nsection: {top_p: 0.5, name: yaml}\n")
    whole = load_config(
        Whole,
        path,
        options={"seed": 2, "section.name": "flag", "files": None},
        assignments=["section.name=set", "seed=3"],
    )
    assert (whole.seed, whole.section.top_p, whole.section.name) == (3, 0.5, "set")


def test_an_empty_file_gives_the_defaults(tmp_path):
    assert load_config(Whole, config_file(tmp_path, "")) == Whole()


@pytest.mark.parametrize(
    ("text", "assignments", "sentence"),
    [
        ("section: {topp: 0.5}", [], r'"section.topp" is not a known setting'),
        ("section: {top_p: 1.3}", [], r"section.top_p must be less than or equal to 1, got 1.3"),
        ("seed: many", [], r"seed must be a whole number, got 'many'"),
        ("", ["seed"], r"--set must be section.key=value"),
        ("", ["seed.deep=1", "seed=2", "seed.deep=1"], r'"seed" in "seed.deep" is a value'),
        ("- 1", [], r"must hold names and values"),
        ("a: [", [], r"must be YAML"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path, text, assignments, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        load_config(Whole, config_file(tmp_path, text), assignments=assignments)
    assert "\n" not in str(caught.value)


def test_a_missing_config_says_where_examples_are(tmp_path):
    with pytest.raises(ConfigError, match="see configs/ for examples"):
        load_config(Whole, tmp_path / "none.yaml")


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="it is a pipe or a device"):
        load_config(Whole, tmp_path / "pipe.yaml")


def test_a_date_that_is_none_is_no_yaml(tmp_path):
    path = config_file(tmp_path, "")
    with pytest.raises(ConfigError, match="--set seed: the value must be YAML"):
        load_config(Whole, path, assignments=["seed=2026-99-99"])


def test_a_binary_config_is_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ConfigError, match="YAML file that can be read"):
        load_config(Whole, path)
