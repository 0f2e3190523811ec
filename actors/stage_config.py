"""Everything that a stage needs to know, checked as a whole before anything starts."""

import os
import platform
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from actors.audio_engine import AudioEngineConfig
from actors.code_desk import CodeDeskConfig
from actors.devices.audio import AudioDeviceConfig
from actors.devices.osc import OscConfig
from actors.evolution_config import StageEvolutionConfig
from actors.feedback_desk import FeedbackDeskConfig, source_names
from actors.streams.endpoints import StreamsConfig
from agents.action.agent import ActionConfig
from agents.code_ranking.agent import CodeRankingConfig
from agents.decision.agent import DecisionConfig
from agents.musical_time import TempoMap
from agents.perception.agent import PerceptionConfig
from corpus.segmentation import WindowGrid, exact_seconds
from corpus.transposition import MOST_SEMITONES

SHORTEST_WINDOW: Final = 0.125
LONGEST_WINDOW: Final = 1.0


class TempoConfig(BaseModel, frozen=True, extra="forbid"):
    """A fixed tempo; beats count from the first sample."""

    bpm: float = Field(120.0, ge=20, le=400)  # beats per minute
    beats_per_bar: int = Field(4, ge=1, le=32)

    def window(self, per_beat: int) -> Fraction:
        """The length of a window in seconds, exact, if there are `per_beat` ≥ 1 in a beat."""
        return 60 / (exact_seconds(self.bpm) * per_beat)


class CodeStageConfig(BaseModel, frozen=True, extra="forbid"):
    """Ranking of Sonic Pi code beside the music."""

    enabled: bool = False
    agent: CodeRankingConfig = CodeRankingConfig()
    desk: CodeDeskConfig = CodeDeskConfig()


class StageConfig(BaseModel, frozen=True, extra="forbid"):
    """One situation: what is heard, what answers with which sounds, how fast, where it goes."""

    replay: Path | None = None  # the guide, an audio file; none: the sound card's input
    memory: tuple[Path, ...] = Field(min_length=1)  # the sounds to answer with
    bundle: Path  # what was learned
    windows_per_beat: int | None = Field(None, ge=1)  # the bundle's; none: windows are uniform
    window: float = Field(0.25, ge=SHORTEST_WINDOW, le=LONGEST_WINDOW)
    """Δ, seconds; with a bundle whose windows follow the beat, what the tempo gives."""
    pace: Literal["real", "fast"] = "real"
    seed: int = Field(0, ge=0, lt=2**32)  # of every draw
    seconds: float | None = Field(None, gt=0, le=30 * 86400)  # length; none: the guide's own
    out: Path | None = None  # the run's folder; none: runs/STAMP-CONFIG
    cache: Path = Path(".cache/memory")  # labelled memories and ranked programs, by content
    cache_megabytes: int = Field(4000, ge=0)  # its bound; what was used longest ago goes first
    transpose: int | None = Field(None, ge=0, le=MOST_SEMITONES)
    """Semitones up and down by which the memory is transposed as well, for labels that it lacks;
    none: 3 for a memory of at most 150 s under a bundle that follows the key, else 0."""
    tempo: TempoConfig = TempoConfig()
    audio: AudioDeviceConfig = AudioDeviceConfig()
    engine: AudioEngineConfig = AudioEngineConfig()
    perception: PerceptionConfig = PerceptionConfig()
    decision: DecisionConfig = DecisionConfig()
    action: ActionConfig = ActionConfig()
    streams: StreamsConfig = StreamsConfig()
    osc: OscConfig | None = OscConfig()  # none: no control by OSC
    code_ranking: CodeStageConfig = CodeStageConfig()
    feedback: FeedbackDeskConfig = FeedbackDeskConfig()
    evolution: StageEvolutionConfig = StageEvolutionConfig()

    @field_validator("memory", mode="before")
    @classmethod
    def _one_file_is_a_list(cls, files: object) -> object:
        return (files,) if isinstance(files, str | Path) else files

    @field_validator("audio")
    @classmethod
    def _mono_or_stereo(cls, audio: AudioDeviceConfig) -> AudioDeviceConfig:
        if audio.channels > 2:
            raise ValueError(
                f"audio.channels must be 1 or 2, got {audio.channels}; a card with more is played "
                "on its first two"
            )
        return audio

    @field_validator("window")
    @classmethod
    def _window_is_exact(cls, seconds: float, given: ValidationInfo) -> float:
        if given.data.get("windows_per_beat"):
            return seconds  # the grid is that of the tempo
        if exact_seconds(seconds).denominator > 10_000:
            raise ValueError("must be a short decimal such as 0.25 or 0.35")
        return seconds

    @property
    def grid(self) -> WindowGrid:
        """The window grid on the device's sample clock."""
        per_beat = self.windows_per_beat
        exact = exact_seconds(self.window) if per_beat is None else self.tempo.window(per_beat)
        return WindowGrid(self.audio.sample_rate, exact)

    @property
    def n_channels(self) -> Literal[1, 2]:
        """Channels of what is heard, kept and played."""
        return 1 if self.audio.channels == 1 else 2

    @property
    def tempo_map(self) -> TempoMap:
        """Beats on the sample clock."""
        return TempoMap(self.tempo.bpm, self.tempo.beats_per_bar)


class BandConfig(StageConfig, frozen=True, extra="forbid"):
    """A stage config with what the launcher found out: enough for each role to build itself."""

    out: Path  # the run's folder; exists
    playable: tuple[tuple[int, ...], ...]  # class ids that the memory holds, for each rotation
    rest_share: float | None = None  # of the windows of the memory's files, those that are silent
    memory_windows: int = 0  # of these files
    track_names: tuple[str, ...]  # of the memory: its files, and their transpositions
    first_segments: tuple[int, ...]  # of each of these
    n_windows: int | None = None  # how many there will be; none: an open end

    @property
    def feedback_store(self) -> Path:
        """The file that feedback is kept in."""
        return self.feedback.store or self.out / "feedback.sqlite"

    @property
    def sources(self) -> dict[int, str]:
        """The file that each track of the memory is of, transposed or not, by first segment."""
        names = cycle(source_names(self.memory))
        return dict(zip(self.first_segments, names, strict=False))

    def metadata(self) -> dict[str, Any]:
        """What the journal says about the run; the report reads it back."""
        return {
            "window_seconds": self.window,
            "pace": self.pace,
            "seed": self.seed,
            "bundle": str(self.bundle),
            "memory": [
                {"name": name, "first_segment": first}
                for name, first in zip(self.track_names, self.first_segments, strict=True)
            ],
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "settings": self.model_dump(mode="json"),
        }
