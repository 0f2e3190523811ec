"""Does it sound related? Every guide is played to the band, and what it answers is measured.

Each duo is played by the real scheduler at fast pace, under the online rule, and once more by a
band that copies the labels it hears. What came of a duo is kept at once, so that a replay that was
interrupted goes on where it stopped.
"""

import hashlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from actors.fast_band import FastBand
from actors.parts import parts_of
from actors.stage_config import BandConfig, StageConfig
from agents.agent import Agent
from agents.messages import HeardLabel, Message, Plan
from agents.musical_time import Moment
from corpus.audio_file import AudioFileError, content_hash, is_silent, read_audio
from corpus.beat_grid import tempo_of
from corpus.voices import name_seed
from corpus.whole_file import write_atomically
from launch.config import load_config
from launch.preparation import prepare
from launch.replay_material import Duo
from models.bundle import CARD_FILE, Bundle
from models.metrics.accompaniment import MEASURES, HeardTrack, evaluate, hear

__all__ = ["TRACKS", "Replay", "replay_duo", "summarise"]

TRACKS: Final = ("answer", "partner", "stranger", "copy")
"""What is compared with the guide: the agent, and its three yardsticks."""
LONGEST_SECONDS: Final = 60.0
"""Of each song: what is heard by then tells the rest."""
N_RESAMPLES: Final = 2000
SHORTEST_WAY: Final = 0.02
"""Where partner and stranger score nearly the same, there is no way between them."""


@dataclass(frozen=True)
class Replay:
    """How duos are played.

    Args:
        bundle: what was learned.
        base: YAML file of the stage whose settings hold unless said otherwise.
        assignments: further settings, "section.key=value".
        out: where results go.
        seed: of every draw.
    """

    bundle: Path
    base: Path
    assignments: tuple[str, ...]
    out: Path
    seed: int

    @property
    def fingerprint(self) -> str:
        """Names everything but the duo that a result depends on."""
        card = (self.bundle / CARD_FILE).read_bytes()
        facts = repr((hashlib.sha256(card).hexdigest(), self.assignments, self.seed))
        return hashlib.sha256(facts.encode() + self.base.read_bytes()).hexdigest()[:16]


class CopyingAgent:
    """Decides to play what was heard a window ago: the yardstick that no answer should reach."""

    def step(self, moment: Moment, inbox: Sequence[Message]) -> list[Message]:  # noqa: ARG002
        """A plan of one window for the newest label heard."""
        heard = [message for message in inbox if isinstance(message, HeardLabel)]
        if not heard:
            return []
        newest = max(heard, key=lambda message: message.window)
        return [Plan(newest.window + 1, (newest.label,), (1.0,), newest.rotation)]

    def restore(self, history: Sequence[Message]) -> None:
        """Nothing to take up."""


def replay_duo(duo: Duo, replay: Replay) -> dict[str, Any]:
    """Play one duo and measure it, or take what was measured before of the same files.

    Returns:
        "duo", "seconds", and for each of `TRACKS` its measures; or "duo" and "refused", a sentence.

    Raises:
        ValueError, OSError: the bundle or the settings cannot be used.
    """
    name = hashlib.sha256(repr(duo).encode()).hexdigest()[:16]
    place = replay.out / "duos" / f"{name}.json"
    fingerprint = f"{replay.fingerprint} {_contents(duo)}"
    known = _known(place, fingerprint)
    if known is not None:
        return known
    try:
        with tempfile.TemporaryDirectory() as spare:
            counted = _from_the_first_beat(duo, replay, Path(spare))
            result = _measure(counted, replay, replay.out / "duos" / name)
    except AudioFileError as error:
        result = {"refused": str(error)}
    result = {"duo": duo.name, "song": duo.song, "fingerprint": fingerprint, **result}
    write_atomically(place, json.dumps(result, indent=1) + "\n")
    return result


def _contents(duo: Duo) -> str:
    """Names what the duo's files hold: a file may change under its name."""
    files = (duo.guide_file, duo.partner_file, *duo.memory, duo.stranger)
    try:
        hashes = [content_hash(file) for file in files]
    except AudioFileError:  # refused where it is played
        return "unreadable"
    return hashlib.sha256(repr(hashes).encode()).hexdigest()[:16]


def _known(place: Path, fingerprint: str) -> dict[str, Any] | None:
    try:
        result: dict[str, Any] = json.loads(place.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return result if result.get("fingerprint") == fingerprint else None


def _measure(duo: Duo, replay: Replay, folder: Path) -> dict[str, Any]:
    rate = Bundle.load(replay.bundle).card.sample_rate
    real = {
        "guide": read_audio(duo.guide_file, rate, 1)[:, 0],
        "partner": read_audio(duo.partner_file, rate, 1)[:, 0],
    }
    for name, samples in real.items():
        if is_silent(samples[: round(LONGEST_SECONDS * rate)]):
            raise AudioFileError(
                f"{duo.name}: the {name} must sound, got silence; leave the song out"
            )
    n_samples = min(len(samples) for samples in real.values())
    seconds = min(n_samples / rate, duo.warm_up_seconds + LONGEST_SECONDS)
    played = {
        track: _play(duo, replay, folder, seconds, copying=track == "copy")
        for track in ("answer", "copy")
    }
    stranger = read_audio(duo.stranger, rate, 1)[:, 0]
    sounds = {**real, **played, "stranger": np.resize(stranger, n_samples)}
    n_samples = min(int(seconds * rate), *(len(samples) for samples in sounds.values()))
    begin = round(duo.warm_up_seconds * rate)
    heard = {name: hear(samples[begin:n_samples], rate) for name, samples in sounds.items()}
    guide, partner = heard["guide"], heard["partner"]
    figures = {track: evaluate(guide, partner, heard[track]) for track in TRACKS}
    return {
        "seconds": seconds,
        "figures": figures,
        "plays": {track: float(heard[track].sounding.mean()) for track in ("guide", *TRACKS)},
        "strips": {track: _strip(heard[track]) for track in ("guide", "answer", "partner")},
    }


def _from_the_first_beat(duo: Duo, replay: Replay, spare: Path) -> Duo:
    """The duo in files that begin with its first beat, as the stage counts from its first sample.

    As it is if the bundle knows no beats, or nobody knows those of the song.
    """
    card = Bundle.load(replay.bundle).card
    if card.beats is None or len(duo.beats) < 2:
        return duo
    files = []
    for name, path in (("guide", duo.guide_file), ("partner", duo.partner_file)):
        samples = read_audio(path, card.sample_rate, 1)[round(duo.beats[0] * card.sample_rate) :]
        files.append(spare / f"{name}.wav")
        soundfile.write(files[-1], samples, card.sample_rate, subtype="FLOAT")
    return replace(duo, guide_file=files[0], partner_file=files[1])


def _play(
    duo: Duo, replay: Replay, folder: Path, seconds: float, *, copying: bool
) -> NDArray[np.float32]:
    """What the band answers, (frames,)."""
    shutil.rmtree(folder, ignore_errors=True)  # of a replay that was interrupted
    band = prepare(_stage(duo, replay, folder, seconds), "replay", _Quiet())
    agents: Mapping[str, Agent] | None = None
    if copying:
        agents = {
            role: CopyingAgent() if role == "decision" else part.build(band)
            for role, part in parts_of(band).items()
        }
    try:
        FastBand(band, agents).run(threading.Event())
        answer = read_audio(folder / "accompaniment.wav", band.audio.sample_rate, 1)[:, 0]
        if not copying:
            _keep_mix(band, replay.out / "mixes" / f"{folder.name}.wav")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return answer


def _stage(duo: Duo, replay: Replay, folder: Path, seconds: float) -> StageConfig:
    card = Bundle.load(replay.bundle).card
    bpm = None
    if card.beats is not None and len(duo.beats) > 1:
        bpm = round(tempo_of(duo.beats), 3)
    options = {
        "replay": duo.guide_file.absolute(),
        "memory": [path.absolute() for path in duo.memory],
        "bundle": replay.bundle.absolute(),
        "window": card.window_seconds if card.beats is None else None,
        "tempo.bpm": bpm,
        "pace": "fast",
        "seed": duo_seed(duo, replay.seed),
        "seconds": seconds,
        "out": folder.absolute(),
        "audio.sample_rate": card.sample_rate,
        "audio.channels": 1,
        "decision.horizon": card.horizon,
    }
    return load_config(StageConfig, replay.base, options=options, assignments=replay.assignments)


def duo_seed(duo: Duo, seed: int) -> int:
    """Each duo draws for itself: with one seed for all, all would rest in the same windows."""
    return int(np.random.default_rng([seed, name_seed(duo.name)]).integers(2**31))


def _keep_mix(band: BandConfig, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    (band.out / "mix.wav").replace(place)


def _strip(track: HeardTrack) -> dict[str, Any]:
    """What a picture needs of a track."""
    return {
        "chroma": np.round(track.chroma, 2).tolist(),
        "sounding": track.sounding.tolist(),
        "onsets": np.round(track.onsets, 3).tolist(),
    }


class _Quiet:
    """Is told how a stage is prepared, and says nothing: there are many."""

    def begin(self, step: str) -> None: ...

    def tell(self, detail: str) -> None: ...

    def note(self, sentence: str) -> None: ...


def summarise(results: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """Means over songs of every measure and track, and how far the answer is on the way.

    The way goes from the stranger (0) to the true partner (1). Intervals: 95 %, bootstrap over
    songs.

    Args:
        results: of `replay_duo`, none of them refused, at least one.
        seed: of the bootstrap.
    """
    songs = sorted({result["song"] for result in results})
    summary: dict[str, Any] = {"n_songs": len(songs), "n_duos": len(results), "measures": {}}
    for measure in MEASURES:
        of_song = np.array(
            [
                [
                    np.mean([r["figures"][t][measure] for r in results if r["song"] == song])
                    for t in TRACKS
                ]
                for song in songs
            ]
        )
        rng = np.random.default_rng(seed)
        drawn = of_song[rng.integers(len(songs), size=(N_RESAMPLES, len(songs)))].mean(axis=1)
        summary["measures"][measure] = {
            **{track: _figure(of_song[:, i].mean(), drawn[:, i]) for i, track in enumerate(TRACKS)},
            "way": _figure(*(_way(figures) for figures in (of_song.mean(axis=0), drawn))),
        }
    return summary


def _way(figures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the way from the stranger to the partner, (...,), of figures (..., tracks)."""
    answer, partner, stranger, _ = np.moveaxis(figures, -1, 0)
    length = np.where(np.abs(partner - stranger) < SHORTEST_WAY, np.nan, partner - stranger)
    share: NDArray[np.float64] = (answer - stranger) / length
    return share


def _figure(mean: np.floating | NDArray[np.float64], drawn: NDArray[np.float64]) -> dict[str, Any]:
    """A mean with its interval; null where a yardstick gives no length to measure by."""
    finite = drawn[np.isfinite(drawn)]
    low, high = np.percentile(finite, [2.5, 97.5]) if finite.size else (np.nan, np.nan)
    values = {"mean": float(mean), "low": float(low), "high": float(high)}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def replay_all(
    duos: Sequence[Duo], replay: Replay, on_duo: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Every duo in turn.

    Args:
        duos: at least one.
        replay: how.
        on_duo: told the name of each when it is done.
    """
    results = []
    for duo in duos:
        results.append(replay_duo(duo, replay))
        on_duo(duo.name)
    return results
