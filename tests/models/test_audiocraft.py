"""Needs an interpreter that has audiocraft, named in ANTIPHON_AUDIOCRAFT_PYTHON."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from models.audiocraft_client import AudiocraftError, AudiocraftGenerator

INTERPRETER = os.environ.get("ANTIPHON_AUDIOCRAFT_PYTHON", "")


@pytest.fixture(scope="module")
def generator():
    if not INTERPRETER:
        pytest.skip("ANTIPHON_AUDIOCRAFT_PYTHON names no interpreter that has audiocraft")
    made = AudiocraftGenerator(Path(INTERPRETER), "debug")
    yield made
    made.close()


@pytest.mark.weights
def test_the_debug_model_makes_clips_reproducible_by_seed(generator):
    one, other = generator.generate(["calm piano", "calm piano"], 0.5, [1, 2])
    [again] = generator.generate(["calm piano"], 0.5, [1])
    assert one.shape == (generator.sample_rate // 2,)
    assert np.isfinite(one).all()
    assert one.std() > 0
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0


@pytest.mark.weights
def test_a_worker_that_dies_is_started_again(generator):
    generator._process.kill()
    generator._process.wait()
    [clip] = generator.generate(["fast drums"], 0.5, [1])
    assert len(clip) == generator.sample_rate // 2


def test_an_interpreter_without_audiocraft_is_named_in_a_sentence():
    with pytest.raises(AudiocraftError, match="audiocraft-debug refused: ModuleNotFoundError"):
        AudiocraftGenerator(Path(sys.executable), "debug")


@pytest.mark.parametrize("python", [None, Path("/nowhere/python")])
def test_no_interpreter_is_refused(python):
    with pytest.raises(ValueError, match="must be an interpreter that has audiocraft"):
        AudiocraftGenerator(python)


def test_an_interpreter_that_is_none_is_named(tmp_path):
    (tmp_path / "python").write_text("not a program")
    with pytest.raises(AudiocraftError, match=r"must be an interpreter|its process ended"):
        AudiocraftGenerator(tmp_path / "python")
