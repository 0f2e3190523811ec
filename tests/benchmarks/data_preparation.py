"""Songs per minute that are prepared for learning, with one worker and with two; prints a table.

`python tests/benchmarks/data_preparation.py [--songs 6] [--rounds 2] [--midi FOLDER]`: multi-track
MIDI is rendered, heard in three lengths of window and written with its audio, everything that
`antiphon import-corpus … --keep both` does, by Ray workers of one core each and by this process
alone. Rounds go by turns and back, so that other work on the machine falls on all alike. The pace
counts from the first finished song of every run to its last: Ray's start is a column of its own.
Without --midi, songs of 60 s in three parts are made from a seed.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import mido
import numpy as np

from actors.corpus_tasks import import_songs
from corpus.manifest import ImportSettings
from corpus.song_sources import SongSource, find_sources
from models.ear import EarConfig

WINDOWS = (0.25, 0.35, 0.5)
TICKS = 480
BARS = 30
WORKERS = (0, 1, 2)


def make_song(path: Path, seed: int) -> None:
    """A melody, a piano in chords and a bass, 30 bars at 120 beats per minute."""
    rng = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    roots = rng.choice([0, 3, 4, 5], BARS)
    file = mido.MidiFile(ticks_per_beat=TICKS)
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
    for channel, (name, beats) in enumerate((("LEAD", 0.5), ("PIANO", 1.0), ("BASS", 2.0))):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        for start in np.arange(0, 4 * BARS, beats):
            root = int(roots[int(start // 4)])
            steps = {"LEAD": [int(rng.integers(7))], "PIANO": [root, root + 2, root + 4]}
            low = {"LEAD": 72, "PIANO": 60, "BASS": 36}[name]
            pitches = [low + 12 * (s // 7) + int(scale[s % 7]) for s in steps.get(name, [root])]
            for pitch in pitches:
                track.append(mido.Message("note_on", note=pitch, velocity=80, channel=channel))
            for index, pitch in enumerate(pitches):
                wait = int(beats * TICKS) if index == 0 else 0
                track.append(mido.Message("note_off", note=pitch, time=wait, channel=channel))
        file.tracks.append(track)
    path.parent.mkdir(parents=True)
    file.save(path)


def measured(sources: list[SongSource], n_workers: int) -> tuple[float, float]:
    """Seconds to the first finished song, and songs per minute from there on."""
    settings = ImportSettings(sample_rate=22050, keep="both", window_seconds=WINDOWS)
    settings = settings.model_copy(update={"longest_seconds": 130.0})
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        ends = []
        for record in import_songs(sources, Path(out), settings, EarConfig(), n_workers):
            assert not record.refused, record.refused
            ends.append(time.perf_counter() - began)
    return ends[0], 60 * (len(ends) - 1) / (ends[-1] - ends[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--songs", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--midi", type=Path, help="a folder of multi-track MIDI instead")
    arguments = parser.parse_args()
    found: dict[int, list[tuple[float, float]]] = {n: [] for n in WORKERS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(0 if arguments.midi else arguments.songs):
            make_song(Path(folder) / f"{seed}/{seed}.mid", seed)
        sources = find_sources([arguments.midi or Path(folder)])[: arguments.songs]
        for turn in range(arguments.rounds):
            for n_workers in WORKERS if turn % 2 == 0 else WORKERS[::-1]:
                found[n_workers].append(measured(list(sources), n_workers))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{len(sources)} songs, {arguments.rounds} rounds, load {load:.0f}, {os.cpu_count()} cores"
    )
    print(f"{'workers':>10} {'to the first song':>18} {'songs/min':>10} {'against one':>12}")
    for n_workers in WORKERS:
        first, pace = np.median(found[n_workers], axis=0)
        ratios = [a[1] / b[1] for a, b in zip(found[n_workers], found[1], strict=True)]
        told = "this one" if n_workers == 0 else str(n_workers)
        spread = f"{np.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        print(f"{told:>10} {first:16.1f} s {pace:10.1f} {spread:>12}")


if __name__ == "__main__":
    main()
