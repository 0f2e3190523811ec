"""Re-construction: learn one pair of stems, and rebuild the second from the first and its own past.

The first 70 % of the pair teach, the next 10 % say when to stop, and the last 20 % are rebuilt: the
first stem is played to the band, which answers with segments of what the second played before. A
bundle given as base is tuned further; without one everything is learned from the pair.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from corpus.audio_file import AudioFileError, write_wav
from corpus.pairs import load_song, pair_song
from corpus.segmentation import WindowGrid, exact_seconds
from launch.replay_material import Duo
from launch.replay_pairs import Replay, replay_duo
from launch.train_material import FEWEST_WINDOWS, alphabet_size
from launch.train_settings import SettingsError, TrainSettings
from models.alphabet import SILENCE
from models.bundle import Bundle, BundleCard, check_target
from models.count_model import CountModel
from models.decision_transformer import DecisionTransformer
from models.ear import build_ear
from models.evaluation import evaluate_decision
from models.heard_history import codes_of, with_history
from models.key import KeyConfig
from models.key_normalisation import answered_under, guide_rotations, turn, write_labels
from models.paired_labels import Block
from models.training import fit, start
from models.vector_quantizer import Codebook

__all__ = ["reconstruct"]

TEACH_SHARE: Final = 0.7
HOLD_OUT_SHARE: Final = 0.2
WARM_UP_SECONDS: Final = 60.0
"""Heard before what is rebuilt, as in the middle of a song: for key, rhythm and context."""
TUNING_RATE: Final = 3e-4
"""Learning rate when a base is tuned."""
MOST_STEPS: Final = 300
TRAINING_SECONDS: Final = 120.0
"""The training stops then, so that all is done in five minutes on two cores."""

Features = NDArray[np.float32]


def reconstruct(
    first: Path,
    second: Path,
    replay: Replay,
    base: Bundle | None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Learn a pair, write the bundle to `replay.bundle`, and rebuild its last fifth.

    Args:
        first: the stem that is heard.
        second: the stem that answers it.
        replay: how it is played; its bundle is where the new one goes.
        base: tuned further; None learns from the pair alone.
        say: told each step.

    Returns:
        What was measured: "figures" on the sound, "labels" on what was decided, "seconds".

    Raises:
        AudioFileError, SettingsError: a file or base that cannot be used, or too little sound.
        BundleError, OSError: the results cannot be written.
    """
    check_target(replay.bundle)
    if base is not None and base.card.beats is not None:
        raise SettingsError(
            "a bundle tuned on a pair must have uniform windows, as the beats of a pair are not "
            "known, got one whose windows follow the beat; give another --bundle or none"
        )
    began = time.perf_counter()
    torch.set_num_threads(1)
    settings = TrainSettings(sample_rate=22_050, window_seconds=0.5, alphabet=64)
    say("hearing the pair")
    sounds, grid, n_windows = _cut(first, second, base, settings)
    bundle = _learn(sounds, grid, n_windows, base, settings, say)
    bundle.save(replay.bundle)
    say("rebuilding the last fifth")
    duo = _held_out(first, second, sounds, grid, n_windows, replay.out)
    played = replay_duo(duo, replay)
    if "refused" in played:
        raise AudioFileError(str(played["refused"]))
    return {
        "first": first.name,
        "second": second.name,
        "base": base is not None,
        "labels": bundle.card.measured,
        "figures": played["figures"],
        "plays": played["plays"],
        "seconds": time.perf_counter() - began,
        "result": played,
    }


def _cut(
    first: Path, second: Path, base: Bundle | None, settings: TrainSettings
) -> tuple[list[NDArray[np.float32]], WindowGrid, int]:
    """Both stems, mono, equally long; their grid and its whole windows."""
    song = pair_song(first, second)
    rate = settings.sample_rate if base is None else base.card.sample_rate
    window = settings.window_seconds if base is None else base.card.window_seconds
    stems = load_song(song, rate)
    grid = WindowGrid(rate, exact_seconds(window))
    sounds = [stems[name] for name in song.stems]
    n_windows = grid.n_whole_windows(len(sounds[0]))
    if n_windows < 2 * FEWEST_WINDOWS:
        raise SettingsError(
            f"a pair must last at least {2 * FEWEST_WINDOWS * window:g} s, as its last fifth is "
            f"rebuilt, got {n_windows * window:g} s; give longer stems"
        )
    return sounds, grid, n_windows


def _learn(
    sounds: list[NDArray[np.float32]],
    grid: WindowGrid,
    n_windows: int,
    base: Bundle | None,
    settings: TrainSettings,
    say: Callable[[str], None],
) -> Bundle:
    card = None if base is None else base.card
    ear_config, key = (settings.ear, settings.key) if card is None else (card.ear, card.key)
    normalised = True if card is None else card.key_normalised
    horizon = settings.horizon if card is None else card.horizon
    transformer = settings.transformer() if card is None else card.transformer
    ear = build_ear(ear_config, grid.sample_rate, float(grid.window_seconds))
    bounds = grid.boundaries(n_windows)
    heard = [_Heard(list(ear.listen_track(samples, bounds))) for samples in sounds]
    rotations = np.zeros(n_windows, dtype=np.int64)
    if normalised:
        rotations = _rotations(heard[0], key, float(grid.window_seconds))
    borders = [round(n_windows * share) for share in (TEACH_SHARE, 1 - HOLD_OUT_SHARE)]
    if base is None:
        taught = [
            turn(one.features, turned)[: borders[0]][~one.silent[: borders[0]]]
            for one, turned in zip(heard, (rotations, answered_under(rotations)), strict=True)
        ]
        size, _ = alphabet_size(np.concatenate(taught), settings.alphabet)
        codebook = Codebook.fit(np.concatenate(taught), size, settings.seed)
    else:
        codebook = base.codebook
    train, validation, test = _blocks(heard, rotations, codebook, borders, transformer.context)
    if not (test.answer >= 0).any() or not (train.answer >= 0).any():
        raise SettingsError(
            "the second stem must sound both in the first 70 % of the pair and in the last 20 %, "
            "and does not; give a pair in which it plays throughout"
        )
    counts = CountModel.fit(
        [(train.heard, train.answer)],
        [(validation.heard[validation.warm_up :], validation.answer[validation.warm_up :])],
        codebook.n_classes,
        horizon,
    )
    training = settings.training().model_copy(update={"max_steps": MOST_STEPS})
    codes = codes_of(codebook.centres)
    if base is not None:
        training = training.model_copy(update={"learning_rate": TUNING_RATE})
    state = start(transformer, training, codebook.n_classes, horizon, [train], [validation], codes)
    if base is None:
        _expect_rests(state.network, train.answer)
    else:
        state.network.load_arrays(base.decision)
    say("learning")
    told = [with_history([one], codes, transformer) for one in (train, validation)]
    deadline = time.perf_counter() + TRAINING_SECONDS
    fit(state, training, *told, should_stop=lambda: time.perf_counter() > deadline)
    new = BundleCard(
        ear=ear_config,
        window_seconds=float(grid.window_seconds),
        sample_rate=grid.sample_rate,
        n_labels=codebook.n_classes,
        horizon=horizon,
        transformer=transformer,
        key_normalised=normalised,
        key=key,
        trained={"pair": True, "steps": state.step, "tuned": base is not None},
        measured={},
    )
    bundle = Bundle(new, codebook, counts, dict(state.best))
    say("measuring")
    model = bundle.decision_model("transformer")
    measured = evaluate_decision(model, counts, [train], [test], seed=settings.seed)
    figures = {} if measured is None else asdict(measured)
    card = new.model_copy(update={"measured": figures})
    return Bundle(card, codebook, counts, dict(state.best))


def _expect_rests(network: DecisionTransformer, answer: NDArray[np.int64]) -> None:
    """Begin at the share of rests in the answer; a pair is too short to get there from a half."""
    share = (np.sum(answer == SILENCE) + 0.5) / (len(answer) + 1)
    with torch.no_grad():
        network.silence_heads.weight.zero_()
        network.silence_heads.bias.fill_(float(np.log(share / (1 - share))))


class _Heard:
    """A stem, window by window.

    Args:
        windows: of an ear.
    """

    def __init__(self, windows: list[Any]) -> None:
        self.features: Features = np.array([one.features for one in windows], dtype=np.float32)
        self.silent = np.array([one.silent for one in windows], dtype=bool)
        self.fields = np.array([(one.energy_db, one.onset) for one in windows], dtype=np.float32)


def _rotations(guide: _Heard, key: KeyConfig, window_seconds: float) -> NDArray[np.int64]:
    return guide_rotations(guide.features, guide.silent, key, window_seconds)


def _blocks(
    heard: list[_Heard],
    rotations: NDArray[np.int64],
    codebook: Codebook,
    borders: list[int],
    context: int,
) -> list[Block]:
    """What teaches, what decides when to stop, and what is rebuilt."""
    a, b = heard
    guide = write_labels(a.features, a.silent, rotations, codebook)
    answer = write_labels(b.features, b.silent, answered_under(rotations), codebook)
    blocks = []
    for start_at, stop in ((0, borders[0]), tuple(borders), (borders[1], len(guide))):
        first = max(0, start_at - context)
        span = slice(first, stop)
        block = Block(
            "pair",
            first,
            start_at - first,
            guide[span],
            a.fields[span],
            answer[span],
            b.fields[span],
        )
        blocks.append(block)
    return blocks


def _held_out(
    first: Path,
    second: Path,
    sounds: list[NDArray[np.float32]],
    grid: WindowGrid,
    n_windows: int,
    out: Path,
) -> Duo:
    """The last fifth of both stems as files, and what the second played before as the memory."""
    border_window = round(n_windows * (1 - HOLD_OUT_SHARE))
    warm_up_windows = min(border_window, round(WARM_UP_SECONDS / float(grid.window_seconds)))
    border = grid.boundary(border_window)
    begin = grid.boundary(border_window - warm_up_windows)
    folder = out / "stems"
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "guide": sounds[0][begin:],
        "partner": sounds[1][begin:],
        "memory": sounds[1][:border],
        "stranger": np.roll(sounds[1][begin:], len(sounds[1][begin:]) // 2),
    }
    for name, samples in parts.items():
        write_wav(folder / f"{name}.wav", samples[:, None], grid.sample_rate)
    return Duo(
        song="re-construction",
        guide=first.stem,
        partner=second.stem,
        guide_file=folder / "guide.wav",
        partner_file=folder / "partner.wav",
        memory=(folder / "memory.wav",),
        stranger=folder / "stranger.wav",
        warm_up_seconds=(border - begin) / grid.sample_rate,
    )
