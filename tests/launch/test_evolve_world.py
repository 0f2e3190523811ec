"""Whom an evolution is to please: what is kept of it from run to run."""

from types import SimpleNamespace

import numpy as np

from launch import evolve_world


def test_a_taste_model_of_other_code_is_made_anew(tmp_path, monkeypatch):
    made = []

    def start(*_):
        made.append(len(made))
        return SimpleNamespace(network=None)

    (tmp_path / "taste.py").write_text("one")
    monkeypatch.setattr(evolve_world, "_MODELS", tmp_path)
    monkeypatch.setattr(evolve_world, "start", start)
    monkeypatch.setattr(evolve_world, "save_aligner", lambda path, *_: path.write_text("kept"))
    monkeypatch.setattr(evolve_world, "load_aligner", lambda path: (path.name, {}))
    config = SimpleNamespace(cache=tmp_path)
    data = SimpleNamespace(layers=np.zeros(3), users=np.zeros(2), songs=np.zeros(2))
    material = SimpleNamespace(training_data=lambda: data)

    first = evolve_world._trained(config, material)
    assert evolve_world._trained(config, material) == first
    assert made == [0]
    (tmp_path / "taste.py").write_text("another")
    assert evolve_world._trained(config, material) != first
    assert made == [0, 1]
