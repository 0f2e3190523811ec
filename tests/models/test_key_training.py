import numpy as np
import pytest
import torch

from models.key import KeyConfig, RunningKey
from models.key_training import KeyTrack, _loss, train_key

SCALES = np.array([[3, 0, 1, 0, 2, 1, 0, 2, 0, 1, 0, 1], [3, 0, 1, 2, 0, 1, 0, 2, 1, 0, 0, 1]])


def tracks(n, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        mode, tonic = int(rng.integers(2)), int(rng.integers(12))
        notes = rng.choice(12, size=30, p=SCALES[mode] / SCALES[mode].sum())
        chroma = np.eye(12, dtype=np.float32)[(notes + tonic) % 12]
        silent = rng.random(30) < 0.2
        found.append(KeyTrack(chroma, silent, np.full(30, tonic + 12 * mode)))
    return found


def test_the_notes_of_a_scale_are_learned_from_its_music():
    learned, loss = train_key({0.5: tracks(60)}, steps=40)
    profiles = np.array([learned.major, learned.minor])
    assert (profiles[SCALES > 0].min() > profiles[SCALES == 0].max()).all()
    assert loss < np.log(12)
    told = [RunningKey(learned, 0.5).follow(t.chroma, t.silent)[-1] for t in tracks(20, 1)]
    assert np.mean([key == t.keys[-1] for key, t in zip(told, tracks(20, 1), strict=True)]) > 0.8


def test_what_is_learned_through_is_the_filter_that_plays():
    config, some = KeyConfig(), tracks(3)
    logs = []
    for track in some:
        running = RunningKey(config, 0.25)
        for chroma, silent, key in zip(track.chroma, track.silent, track.keys, strict=True):
            running.hear(chroma, silent=bool(silent))
            if not silent:
                beliefs = np.array(running.state.beliefs)
                relative = (key + 9) % 12 + 12 if key < 12 else (key - 12 + 3) % 12
                logs.append([np.logaddexp(beliefs[key], beliefs[relative]), beliefs[key]])
    signature, key = -np.mean(logs, axis=0)
    profiles = torch.tensor([config.major, config.minor])
    change = torch.tensor(config.changes_per_minute / 60.0)
    loss = _loss(profiles, change, some, 0.25).item()
    assert loss == pytest.approx(signature + 0.1 * key, rel=1e-4)


def test_learning_without_tracks_is_refused():
    with pytest.raises(ValueError, match="annotated keys"):
        train_key({0.5: []})
