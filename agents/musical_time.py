"""Musical time: where on the grid and in the bar we are, as pure functions of the tempo.

Windows count from 0 at sample 0 of the device clock; beats count from 0 at the same sample.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """A place on the grid, handed to every agent; agents never ask a clock.

    Args:
        window: index k of the window that starts now (T_k = k·Δ).
        seconds: T_k on the sample clock, ≥ 0.
        beats: position in beats since the start, ≥ 0.
        tempo_bpm: beats per minute in force.
        beats_per_bar: beats in a bar, ≥ 1.
    """

    window: int
    seconds: float
    beats: float
    tempo_bpm: float
    beats_per_bar: int = 4

    @property
    def beat_phase(self) -> float:
        """Position inside the beat, in [0, 1)."""
        return self.beats % 1.0

    @property
    def bar_phase(self) -> float:
        """Position inside the bar, in [0, 1)."""
        return (self.beats / self.beats_per_bar) % 1.0


@dataclass(frozen=True)
class TempoMap:
    """A fixed tempo: beats and seconds are multiples of each other.

    Args:
        tempo_bpm: beats per minute, > 0.
        beats_per_bar: beats in a bar, ≥ 1.
    """

    tempo_bpm: float = 120.0
    beats_per_bar: int = 4

    def __post_init__(self) -> None:
        if not self.tempo_bpm > 0:
            raise ValueError(f"tempo_bpm must be above 0, got {self.tempo_bpm}")
        if self.beats_per_bar < 1:
            raise ValueError(f"beats_per_bar must be at least 1, got {self.beats_per_bar}")

    def seconds_to_beats(self, seconds: float) -> float:
        """Beats that have passed after `seconds`."""
        return seconds * self.tempo_bpm / 60.0

    def beats_to_seconds(self, beats: float) -> float:
        """Seconds that have passed after `beats`."""
        return beats * 60.0 / self.tempo_bpm

    def moment(self, window: int, seconds: float) -> Moment:
        """The moment at which `window` starts, `seconds` after the start."""
        return Moment(
            window, seconds, self.seconds_to_beats(seconds), self.tempo_bpm, self.beats_per_bar
        )
