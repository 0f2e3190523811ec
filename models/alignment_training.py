"""Trains dual MLPs: one, or the paper's 24 configurations five times each.

Every random choice comes from the seed; the same pairs, config and seed give the same weights on
one machine. A grid writes each finished run to a file of JSON lines and takes up where it ended.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.alignment import Alignment, AlignmentConfig, alignment_loss
from models.metrics import retrieval, similarity

__all__ = ["PAPER_GRID", "GridRow", "evaluate_alignment", "hold_out_renders", "run_grid", "train"]

FloatArray = NDArray[np.float32]
GridRow = dict[str, float]
"""One run: `configuration` (from 1; 0 before training), `run`, figures of `evaluate_alignment`."""

PAPER_GRID: Final[tuple[AlignmentConfig, ...]] = (
    AlignmentConfig(hidden_dim=256, output_dim=128, n_hidden_layers=5, learning_rate=1e-4),
    *(
        AlignmentConfig(hidden_dim=h, output_dim=o, n_hidden_layers=n, learning_rate=rate)
        for h, o, n, rate in product((128, 256), (64, 128), (1, 3, 5), (1e-3, 1e-4))
        if (h, o, n, rate) != (256, 128, 5, 1e-4)
    ),
)
"""Configurations 1 to 24 in the order of the paper's Table A2."""


def train(
    code: FloatArray,
    audio: FloatArray,
    config: AlignmentConfig,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
) -> Alignment:
    """A dual MLP trained on pairs, in evaluation mode.

    Args:
        code: view of each program, (n ≥ 2, code_dim), finite.
        audio: embedding of its sound, (n, audio_dim), finite.
        config: sizes, loss, optimiser.
        seed: of weights and batches.
        on_epoch: told the epoch (from 1) and its mean loss.

    Raises:
        ValueError: if there are not as many sounds as programs, or fewer than two.
    """
    if len(code) != len(audio) or len(code) < 2:
        raise ValueError(
            f"there must be one sound per program and at least 2, got {len(code)} and {len(audio)}"
        )
    model = Alignment(config, code.shape[1], audio.shape[1], seed)
    model.standardise_by(code, audio)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    first, second = torch.from_numpy(code), torch.from_numpy(audio)
    rng = np.random.default_rng(seed)
    for epoch in range(1, config.epochs + 1):
        model.train()
        losses = []
        for batch in _batches(len(code), config.batch_size, rng):
            loss = alignment_loss(model, first[batch], second[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(loss.detach()))
        if on_epoch is not None:
            on_epoch(epoch, float(np.mean(losses)))
    return model.eval()


def _batches(n: int, size: int, rng: np.random.Generator) -> list[torch.Tensor]:
    """A random order cut into batches of nearly equal size, none of a single pair."""
    order = rng.permutation(n)
    return [torch.from_numpy(part) for part in np.array_split(order, max(1, round(n / size)))]


def hold_out_renders(n: int, share: float, seed: int) -> NDArray[np.bool_]:
    """The paper's split: renders at random, so every program held out is known by its siblings.

    Args:
        n: number of pairs.
        share: held out, in (0, 1).
        seed: of the choice.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be in (0, 1), got {share}")
    held = np.zeros(n, dtype=bool)
    held[np.random.default_rng(seed).permutation(n)[: max(1, round(share * n))]] = True
    return held


def evaluate_alignment(
    code_points: FloatArray,
    audio_points: FloatArray,
    sounds: FloatArray,
    programs: Sequence[str] | NDArray[np.str_],
    seed: int = 0,
) -> dict[str, float]:
    """Alignment, retrieval and ranking figures of points in a common space.

    Args:
        code_points: what the MLP of programs gives, (n, output_dim).
        audio_points: what the MLP of sounds gives, (n, output_dim).
        sounds: audio embedding whose distances are the truth, (n, audio_dim).
        programs: base program of each row.
        seed: of the floors.

    Returns:
        cka and cca between the two point sets with their floors; retrieval both ways; spearman,
        pearson and spearman_within between distances of code points and of sounds.
    """
    aligned = similarity.evaluate(code_points, audio_points, programs, seed)
    ranked = similarity.evaluate(code_points, sounds, programs, seed)
    kept = ("spearman", "pearson", "spearman_within")
    return {
        **{name: value for name, value in aligned.items() if name not in kept},
        **{name: ranked[name] for name in kept if name in ranked},
        **retrieval.evaluate(code_points, audio_points),
    }


def run_grid(
    code: FloatArray,
    audio: FloatArray,
    programs: Sequence[str] | NDArray[np.str_],
    held: NDArray[np.bool_],
    results: Path,
    *,
    n_runs: int = 5,
    grid: Sequence[AlignmentConfig] = PAPER_GRID,
    on_row: Callable[[GridRow], None] | None = None,
) -> list[GridRow]:
    """Trains and evaluates every configuration `n_runs` times; finished runs are not repeated.

    Args:
        code: view of every program, (n, code_dim).
        audio: embedding of its sound, (n, audio_dim).
        programs: base program of each.
        held: which pairs to evaluate on and keep from training, (n,).
        results: file of JSON lines, one per run.
        n_runs: seeds 0, 1, … of each configuration.
        grid: configurations; the first has number 1.
        on_row: told every run that this call finished.

    Returns:
        One row per run, the one numbered 0 being the embeddings before training.

    Raises:
        ValueError: if `results` belongs to other pairs, another split or another grid.
    """
    mark = _fingerprint(code, audio, held, grid)
    rows = _finished(results, mark)
    done = {(row["configuration"], row["run"]) for row in rows}
    names = np.asarray(programs)
    with results.open("a", encoding="utf-8") as file:
        for run, number in product(range(n_runs), range(len(grid) + 1)):
            if (number, run) in done or (number == 0 and run > 0):
                continue
            points = code[held], audio[held]
            figures: dict[str, float]
            if number == 0:
                figures = similarity.evaluate(*points, names[held])
            else:
                model = train(code[~held], audio[~held], grid[number - 1], run)
                figures = evaluate_alignment(*model.embed(*points), audio[held], names[held], run)
            row: GridRow = {"configuration": number, "run": run, **figures}
            file.write(json.dumps({"of": mark, "row": row}) + "\n")
            file.flush()
            rows.append(row)
            if on_row is not None:
                on_row(row)
    return rows


def _fingerprint(
    code: FloatArray, audio: FloatArray, held: NDArray[np.bool_], grid: Sequence[AlignmentConfig]
) -> str:
    digest = hashlib.sha256()
    for array in (code, audio, held):
        digest.update(np.ascontiguousarray(array).tobytes())
    for config in grid:
        digest.update(config.model_dump_json().encode())
    return digest.hexdigest()


def _finished(results: Path, mark: str) -> list[GridRow]:
    """Rows of a results file; a last line that was cut off is taken away."""
    if not results.is_file():
        return []
    lines = results.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines = lines[:-1]
        results.write_text("".join(lines), encoding="utf-8")
    content = [json.loads(line) for line in lines]
    if any(entry["of"] != mark for entry in content):
        raise ValueError(
            f"{results} holds runs on other pairs, another split or another grid; name another file"
        )
    return [entry["row"] for entry in content]
