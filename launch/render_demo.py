"""Render the demo pieces from their scores to stems: `python launch/render_demo.py`.

Each part becomes one mono OGG file, dry, at a common peak, all stems of a piece equally long.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a file: find the packages beside this folder
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import soundfile
from numpy.typing import NDArray

from corpus.demo import DEMO_AUDIO, DEMO_SCORES, stem_path
from corpus.score import Score, load_score
from corpus.sound_font import SynthesizerMissingError, render_notes
from corpus.whole_file import write_atomically
from launch.command import command

SAMPLE_RATE = 44_100
RING_SECONDS = 2
"""Time for the last chord to die away after the last bar."""
PEAK_DBFS = -4.0
OGG_COMPRESSION = 0.6
"""Of libsndfile: 0 is the largest file, 1 the smallest."""


def render_part(score: Score, part: str) -> NDArray[np.float32]:
    """One part of a piece, mono, shape (frames,), its highest peak at PEAK_DBFS.

    Raises:
        SynthesizerMissingError: FluidSynth or its sound font is not installed.
    """
    n_samples = int((score.seconds + RING_SECONDS) * SAMPLE_RATE)
    notes, instrument = score.parts[part].notes, score.parts[part].instrument
    samples = render_notes(notes, instrument, score.tempo_bpm, n_samples, sample_rate=SAMPLE_RATE)
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0.0:
        raise ValueError(f"{score.title}: {part} must sound, got silence; give it notes")
    return samples * np.float32(10 ** (PEAK_DBFS / 20) / peak)


def write_ogg(path: Path, samples: NDArray[np.float32]) -> None:
    """Write a whole OGG Vorbis file or none."""
    content = io.BytesIO()  # libsndfile would keep the reason to itself if a disk is full
    with soundfile.SoundFile(
        content,
        "w",
        SAMPLE_RATE,
        channels=1,
        format="OGG",
        subtype="VORBIS",
        compression_level=OGG_COMPRESSION,
    ) as file:
        for start in range(0, len(samples), SAMPLE_RATE):  # large Vorbis writes may crash
            file.write(samples[start : start + SAMPLE_RATE])
    write_atomically(path, content.getbuffer())


def render_piece(piece: str, folder: Path) -> None:
    """Render every part of `piece` into `folder`, and say what came out."""
    score = load_score(DEMO_SCORES[piece])
    for part in score.parts:
        path = folder / stem_path(piece, part)
        samples = render_part(score, part)
        write_ogg(path, samples)
        rms_dbfs = 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        seconds, size_kb = len(samples) / SAMPLE_RATE, path.stat().st_size / 1e3
        print(f"{path}: {seconds:.1f} s, RMS {rms_dbfs:.1f} dBFS, {size_kb:.0f} kB")


@command(SynthesizerMissingError, OSError, ValueError, stopped="stopped; files are whole")
def main(argv: Sequence[str] | None = None) -> int:
    """Render all demo pieces, or one; 0 if every file was written."""
    parser = argparse.ArgumentParser(description="Render the demo pieces to OGG stems.")
    parser.add_argument("--out", type=Path, default=DEMO_AUDIO, help="folder to write into")
    parser.add_argument("--only", choices=sorted(DEMO_SCORES), help="a single piece")
    options = parser.parse_args(argv)
    for piece in [options.only] if options.only else DEMO_SCORES:
        render_piece(piece, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
