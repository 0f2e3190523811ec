"""Learn when a partner attacks: `python launch/train_attacks.py CORPUS … --bundle B`.

The forecast is learned from the audio of the training songs, judged on the validation songs, and
put into the bundle, whose other parts stay as they are. An agent that plays from the bundle then
enters where an attack is expected.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from agents.decision.attack_forecast import AttackForecast
from corpus.audio_file import AudioFileError, read_audio
from corpus.manifest import ManifestError, Role, SongRecord, load_features, load_manifest
from corpus.segmentation import WindowGrid, exact_seconds
from corpus.voices import name_seed
from launch.command import command, within
from launch.config import resolve
from launch.song_hearing import MOST_PAIRS
from models.activity import OnsetStrength, attack_events
from models.attack_model import AttackModel
from models.attack_training import EPOCHS, AttackPair, Examples, examples_of, train_attacks
from models.bundle import REPORT_FILES, Bundle
from models.metrics.intervals import bootstrap_mean

EVERY: Final = 6
"""Windows from one example to the next; those between are much like them."""
N_LEVELS: Final = 16
"""Of strength foreseen by the guide's period, each with the share of attacks found there."""

Array = NDArray[np.float32]


@command(ManifestError, AudioFileError, ValueError, OSError)
def main(argv: Sequence[str] | None = None) -> int:
    """Learn as the command line says; 0 if the bundle has a forecast."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(1)
    console = Console(stderr=True)
    folder = resolve(arguments.bundle, typed=True)
    bundle = Bundle.load(folder)
    if bundle.card.beats is not None:
        raise ValueError(
            f"{folder} must count windows in seconds for a forecast of attacks, got windows of "
            "beats; train a bundle with --window"
        )
    pairs = {
        role: attack_pairs(arguments.corpora, role, bundle, console)
        for role in ("train", "validation")
    }
    window, horizon, seed = bundle.card.window_seconds, bundle.card.horizon, arguments.seed
    learned_from = examples_of(pairs["train"], window, horizon, EVERY, seed)
    model = train_attacks(learned_from, window, horizon, epochs=arguments.epochs, seed=seed)
    judged = examples_of(pairs["validation"], window, horizon, EVERY, seed)
    measured = measure(model, pairs, learned_from, judged)
    for name, figure in measured.items():
        console.print(f"{name}: {figure}", markup=False, soft_wrap=True)
    trained = {
        "corpora": [corpus.name for corpus in arguments.corpora],
        "examples": len(learned_from.songs),
        "epochs": arguments.epochs,
        "seed": seed,
    }
    card = bundle.card.model_copy(
        update={
            "trained": {**bundle.card.trained, "attacks": trained},
            "measured": {**bundle.card.measured, "attacks": measured},
        }
    )
    beside = {n: (folder / n).read_bytes() for n in REPORT_FILES if (folder / n).is_file()}
    replace(bundle, card=card, attacks=model.arrays).save(folder, beside)
    console.print(f"{folder}: the forecast of attacks is in it", markup=False)
    return 0


def attack_pairs(
    corpora: Sequence[Path], role: Role, bundle: Bundle, console: Console
) -> list[AttackPair]:
    """Every ordered pair of parts of the songs of one side, those of one guide together.

    Raises:
        ManifestError: no corpus, one without audio, or without features of the bundle's window.
    """
    pairs = []
    for corpus in corpora:
        manifest = load_manifest(corpus)
        if manifest.settings.keep == "features":
            raise ManifestError(
                f"{corpus} must keep audio, got features alone; import it with --keep both"
            )
        songs = manifest.with_role(role)
        for song in track(songs, f"{corpus.name} {role}", console=console, transient=True):
            pairs += song_pairs(corpus, song, bundle.card.window_seconds, bundle.card.sample_rate)
    return pairs


def song_pairs(
    corpus: Path, song: SongRecord, window_seconds: float, rate: int
) -> list[AttackPair]:
    """The ordered pairs of a song, at most as many as a training of the network takes.

    Args:
        corpus: where the song lies.
        song: one of its songs.
        window_seconds: Δ.
        rate: at which audio is heard, Hz.
    """
    kept = list(song.pairs)
    if len(kept) > MOST_PAIRS:
        draw = np.random.default_rng(name_seed(song.name)).permutation(len(kept))
        kept = [kept[index] for index in sorted(draw[:MOST_PAIRS])]
    wanted = {name for pair in kept for name in pair}
    files = {part.name: part.audio for part in song.parts if part.audio and part.name in wanted}
    heard = {name: attacks_of(corpus / file, window_seconds, rate) for name, file in files.items()}
    fields = load_features(corpus, song, window_seconds)
    found = []
    for guide, partner in sorted(pair for a, b in kept for pair in ((a, b), (b, a))):
        if guide in heard and partner in heard:
            plays = ~np.asarray(fields[partner]["silent"], dtype=np.bool_)
            n = min(len(heard[guide]), len(heard[partner]), len(plays))
            name = f"{corpus.name}/{song.name}"
            found.append(AttackPair(name, guide, heard[guide][:n], heard[partner][:n], plays[:n]))
    return found


def attacks_of(path: Path, window_seconds: float, rate: int) -> Array:
    """Attack strengths of a file in each part of its windows, (W, P).

    Raises:
        AudioFileError: a file that cannot be used (see `read_audio`).
    """
    samples = read_audio(path, rate, 1)[:, 0]
    onset = OnsetStrength(rate, window_seconds)
    grid = WindowGrid(rate, exact_seconds(window_seconds))
    n_before = onset.history_samples
    padded = np.append(np.zeros(n_before, np.float32), samples)
    ends = grid.boundaries(grid.n_whole_windows(len(samples)))[1:] + n_before
    rows = [onset.measure_parts(padded[end - n_before : end])[1] for end in ends.tolist()]
    return np.array(rows, dtype=np.float32).reshape(-1, onset.n_parts)


def measure(
    model: AttackModel,
    pairs: dict[str, list[AttackPair]],
    learned_from: Examples,
    judged: Examples,
) -> dict[str, Any]:
    """What forecasts save over the usual share of attacks, bits a window, 95 % over songs.

    "learned", "periodic" (the guide's attacks carried on by their period, each strength with the
    share of attacks found there in training), and "guide at the time" (whether the guide itself
    attacks in the part, which is not known beforehand).
    """
    share = float(learned_from.attacks.mean())
    usual = _bits(np.full(judged.attacks.shape, share), judged.attacks)
    with_odds = 1 / (1 + np.exp(-_log_odds(model, judged, pairs["validation"])))
    figures: dict[str, Any] = {
        "songs": len(np.unique(judged.songs)),
        "attacks a part": share,
        "bits of a window": float(-usual.mean() * model.n_parts),
    }
    forecasts = {"learned": with_odds}
    for name, told in (("periodic", _periodic), ("guide at the time", _at_the_time)):
        seen = told(pairs["train"], learned_from, model)
        forecasts[name] = _by_level(seen, learned_from, told(pairs["validation"], judged, model))
    saved = {name: _bits(found, judged.attacks) - usual for name, found in forecasts.items()}
    saved["learned over periodic"] = saved["learned"] - saved["periodic"]
    for name, bits in saved.items():
        of_window = bits.mean(axis=1) * model.n_parts
        songs = [float(of_window[judged.songs == one].mean()) for one in np.unique(judged.songs)]
        figure = bootstrap_mean(songs)
        figures[name] = {"mean": figure.value, "low": figure.low, "high": figure.high}
    return figures


def _bits(found: NDArray[np.floating], attacks: NDArray[np.bool_]) -> NDArray[np.float64]:
    sure = np.clip(found, 1e-4, 1 - 1e-4)
    return np.asarray(np.log2(np.where(attacks, sure, 1 - sure)), dtype=np.float64)


def _log_odds(
    model: AttackModel, examples: Examples, pairs: Sequence[AttackPair]
) -> NDArray[np.float32]:
    """Of every example, from its past."""
    rows = []
    for index, pair in enumerate(pairs):
        moments = examples.windows[examples.pairs == index]
        past = np.append(np.zeros(model.cues.n_past, np.float32), pair.heard.ravel())
        ends = moments[:, None] * model.n_parts + np.arange(model.cues.n_past)
        rows.append(model.log_odds(past[ends]))
    return np.concatenate(rows)


def _periodic(
    pairs: Sequence[AttackPair], examples: Examples, model: AttackModel
) -> NDArray[np.float64]:
    """Strengths relative to the strongest lately heard; −1 without a period."""
    rows: dict[tuple[int, int], list[float]] = {}
    nothing = [-1.0] * model.n_parts * model.n_windows
    known: dict[int, dict[int, list[float]]] = {}
    for index, pair in enumerate(pairs):
        wanted = set(examples.windows[examples.pairs == index].tolist())
        of_guide = known.setdefault(id(pair.heard), {})
        forecast, strongest = AttackForecast(), 1e-9
        for window, row in enumerate(pair.heard.tolist(), start=1):
            if wanted <= of_guide.keys():
                break
            forecast.hear(tuple(row))
            strongest = max(0.995 * strongest, *row)
            if window in wanted:
                found = np.ravel(forecast.expect(model.n_windows)) / strongest
                of_guide[window] = found.tolist() if found.size else nothing
        rows |= {(index, window): of_guide[window] for window in wanted}
    keys = zip(examples.pairs.tolist(), examples.windows.tolist(), strict=True)
    return np.array([rows[key] for key in keys])


def _at_the_time(
    pairs: Sequence[AttackPair], examples: Examples, model: AttackModel
) -> NDArray[np.float64]:
    """Whether the guide attacks in the part itself."""
    rows = []
    coming = np.arange(model.n_parts * model.n_windows)
    for index, pair in enumerate(pairs):
        moments = examples.windows[examples.pairs == index]
        events = attack_events(pair.heard).ravel()
        rows.append(events[moments[:, None] * model.n_parts + coming].astype(np.float64))
    return np.concatenate(rows)


def _by_level(
    seen: NDArray[np.float64], learned_from: Examples, told: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The share of attacks found in training where a forecast was as strong as it is now."""
    edges = np.unique(np.quantile(seen[seen >= 0], np.linspace(0, 1, N_LEVELS + 1)[1:-1]))
    edges = np.unique(np.append([-0.5], edges))
    levels, now = np.digitize(seen, edges), np.digitize(told, edges)
    n_levels = len(edges) + 1
    found = np.bincount(levels.ravel(), learned_from.attacks.ravel(), n_levels)
    n = np.bincount(levels.ravel(), minlength=n_levels)
    shares = (found + learned_from.attacks.mean()) / (n + 1.0)
    return np.asarray(shares[now])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon train-attacks", description="Learn when a partner attacks, into a bundle."
    )
    add = parser.add_argument
    add("corpora", nargs="+", type=Path, help="imported corpora with audio, to learn from")
    add("--bundle", type=Path, required=True, metavar="DIR", help="gets the forecast")
    add("--epochs", type=within(int, 1), default=EPOCHS, help=f"passes over all songs ({EPOCHS})")
    add("--seed", type=int, default=0, help="of every draw (0)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
