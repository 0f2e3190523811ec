"""What the agents say to each other: one frozen dataclass per kind of message.

Conventions: `window` is the index of the window that a message is *about*; a label is a class
id in 0..K-1 or `SILENCE`; audio is float32, shape (frames, channels), full scale ±1.
A message knows its stream topic (`TOPIC`); the machinery encodes fields by name.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from agents.code_messages import CodePlay, CodeRanked, CodeRequest, CodeSent
from agents.musical_time import Moment
from models.alphabet import SILENCE
from models.key import NO_KEY, KeyState

__all__ = [
    "SILENCE",
    "Audio",
    "AudioIn",
    "AudioOut",
    "Clip",
    "CodePlay",
    "CodeRanked",
    "CodeRequest",
    "CodeSent",
    "Control",
    "EvolutionState",
    "Feedback",
    "Fragment",
    "HeardLabel",
    "Heartbeat",
    "MemoryChanged",
    "Message",
    "Metric",
    "Plan",
    "Played",
    "Tick",
]

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Tick:
    """Window `window` starts now; answers for it are due `deadline_seconds` after its start."""

    TOPIC: ClassVar[str] = "tick"
    window: int
    moment: Moment
    deadline_seconds: float


@dataclass(frozen=True, eq=False)
class AudioIn:
    """The sound heard in `window`, which has just ended."""

    TOPIC: ClassVar[str] = "audio.in"
    window: int
    samples: Audio  # (frames, channels)


@dataclass(frozen=True, eq=False)
class AudioOut:
    """The sound played in `window`, which has just ended."""

    TOPIC: ClassVar[str] = "audio.out"
    window: int
    samples: Audio  # (frames, channels)


@dataclass(frozen=True)
class HeardLabel:
    """What perception made of `window`: a class id, and fields that never enter the class.

    Args:
        window: the window heard.
        label: class id, or SILENCE if the energy gate is closed.
        distance: Euclidean distance to the centre of the class, ≥ 0 (0 for silence).
        energy_db: level of the window, dB relative to full scale (RMS).
        onset: onset strength of the window, ≥ 0 (mean half-wave rectified log-spectral flux).
        reference_db: the energy gate's running reference after this window, dBFS; carried so
            that a restarted perception can take it up again.
        rotation: semitones by which the window was turned before it was labelled, 0..11: labels
            are those of music in C major or A minor. 0 if the bundle does not follow the key.
        key: of what was heard up to the end of the window; carried like `reference_db`.
        attacks: strongest onset in each of equal parts of the window, about 50 ms; ≥ 0.
    """

    TOPIC: ClassVar[str] = "label"
    window: int
    label: int
    distance: float
    energy_db: float
    onset: float
    reference_db: float
    rotation: int = 0
    key: KeyState = NO_KEY
    attacks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Activity:
    """How lively a window is expected to be, given that one plays.

    Args:
        level_db: dBFS.
        onset: onset strength, about 0 or more.
    """

    level_db: float
    onset: float


@dataclass(frozen=True)
class Plan:
    """What to play in windows `window`, `window` + 1, …: committed only where already sounding.

    Args:
        window: the first window planned; the plan rests on everything heard before it.
        labels: one label per window (class id or SILENCE), length H.
        probabilities: probability that the model gave each of them, in [0, 1], length H.
        rotation: in which the labels are meant: that of the newest label heard, 0..11.
        attacks: how strong attacks are expected to be in the parts of each window, by the guide's
            own rhythm; empty if it has none.
        activity: expected of each window; empty if the model does not foresee it.
        attack_log_odds: of an attack in the parts of each window, as a forecast learned from pairs
            says; empty without one.
    """

    TOPIC: ClassVar[str] = "plan"
    window: int
    labels: tuple[int, ...]
    probabilities: tuple[float, ...]
    rotation: int = 0
    attacks: tuple[tuple[float, ...], ...] = ()
    activity: tuple[Activity, ...] = ()
    attack_log_odds: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Fragment:
    """One segment of the memory, cut for `window`, with a lead-in before it and a tail after it.

    `samples[lead_samples]` falls on the grid at T_window. The lead-in lets a crossfade end where
    the attack begins; the tail covers until the next fragment is there, so no gap can arise.
    `samples` is empty for SILENCE (lead_samples is then 0).

    Empty `samples` with `segment` ≥ 0 confirm: play the samples sent before for this window and
    segment (with their lead_samples); all other fields are the newest.

    Args:
        window: the window in which it sounds.
        plan_window: first window of the plan it comes from (staleness = window - plan_window).
        wanted: label that the plan asked for.
        label: label of the segment chosen (differs from `wanted` on a nearest-label fallback).
        segment: index in the memory, or SILENCE.
        reason: why this segment: continuation, hold, scenario, suffix, jump, nearest or silence.
        continues: the segment follows the previous window's segment in the memory, so the two
            join without a seam (crossfade linearly: the signals are the same).
        lead_samples: frames of `samples` before the grid, ≥ 0.
        samples: (frames, channels), level-matched, before the limiter.
        rotation: in which `wanted` and `label` are meant, 0..11.
        entry_samples: frames after the grid at which the segment enters, ≥ 0; before, `samples`
            hold what sounded before, going on.
        after: segment of the window before, if it goes on until the entry; else SILENCE.
    """

    TOPIC: ClassVar[str] = "fragment"
    window: int
    plan_window: int
    wanted: int
    label: int
    segment: int
    reason: str
    continues: bool
    lead_samples: int
    samples: Audio = field(repr=False)
    rotation: int = 0
    entry_samples: int = 0
    after: int = SILENCE


@dataclass(frozen=True)
class Played:
    """What really sounded in `window`, said by the audio device when the window has ended.

    Args:
        window: the window that ended.
        label: label of the fragment that sounded, SILENCE if none.
        wanted: label its plan asked for, SILENCE if none.
        segment: memory index that sounded, SILENCE if none.
        reason: the fragment's reason; "missed" if the plan had run out.
        staleness: windows between the plan's first window and this one, ≥ 0.
        reaction_seconds: from the start of the window to the arrival of its fresh answer; None if
            no answer for this window came in time.
        foreseen_stood: the fragment that was foreseen is the one the fresh answer named.
        underruns: device blocks that had no sound ready, in this window.
    """

    TOPIC: ClassVar[str] = "played"
    window: int
    label: int
    wanted: int
    segment: int
    reason: str
    staleness: int
    reaction_seconds: float | None
    foreseen_stood: bool
    underruns: int


@dataclass(frozen=True)
class Feedback:
    """A verdict: like, dislike, approve, back, change, panic or resume, and on what.

    Args:
        window: the window that sounded when it came.
        verdict: which of the seven.
        source: osc, keys.
        about: name of a clip or of a file of the memory; "" for what sounds.
        who: anonymous name of the device.
    """

    TOPIC: ClassVar[str] = "feedback"
    window: int
    verdict: str
    source: str
    about: str = ""
    who: str = ""


@dataclass(frozen=True)
class Clip:
    """New material for the memory: a sound file that stays as it is.

    Only its path travels: samples would stand in the way of the beat.

    Args:
        window: the window in which it was offered.
        name: unlike that of any other clip.
        path: of the file, absolute.
        fitness: what evolution thinks of it.
    """

    TOPIC: ClassVar[str] = "evolution.clip"
    window: int
    name: str
    path: str
    fitness: float


@dataclass(frozen=True)
class MemoryChanged:
    """What became of a clip, said by whoever keeps the memory.

    Args:
        window: the window from which on it holds.
        clip: its name.
        event: added, removed (taken back), evicted (for another) or refused.
        first_segment: index of its first segment in the memory, SILENCE if it never had one.
        n_segments: how many it has or had, ≥ 0.
        playable: class ids that the memory now holds, for each rotation; none if refused.
        detail: one sentence if there is something to say.
    """

    TOPIC: ClassVar[str] = "memory"
    window: int
    clip: str
    event: str
    first_segment: int
    n_segments: int
    playable: tuple[tuple[int, ...], ...]
    detail: str = ""


@dataclass(frozen=True)
class EvolutionState:
    """How far evolution is, once a generation and whenever it is throttled otherwise.

    Args:
        window: the window in which it was said.
        generation: how many have been completed, ≥ 0.
        best: fitness of the best of the last generation; None before the first.
        mean: of the last generation.
        median: of the last generation.
        n_evaluated: clips made and judged so far, over all lives.
        n_failed: those among them that could not be judged.
        n_ratings: verdicts taken in so far.
        workers: how many may work now; fewer than there are if the stage needs the machine.
        detail: one sentence if there is something to say.
    """

    TOPIC: ClassVar[str] = "evolution.state"
    window: int
    generation: int
    best: float | None
    mean: float | None
    median: float | None
    n_evaluated: int
    n_failed: int
    n_ratings: int
    workers: int
    detail: str = ""


@dataclass(frozen=True)
class Control:
    """A named parameter, "section.key", and its new value; the section's owner validates it."""

    TOPIC: ClassVar[str] = "control"
    window: int
    name: str
    value: float | int | str | bool


@dataclass(frozen=True)
class Heartbeat:
    """`role` is alive, and how much it has dropped, lost and refused so far."""

    TOPIC: ClassVar[str] = "heartbeat"
    window: int
    role: str
    process_id: int
    dropped: int
    lost: int


@dataclass(frozen=True)
class Metric:
    """One named figure about `window`; the name says the unit ("decision.step_ms")."""

    TOPIC: ClassVar[str] = "metric"
    window: int
    name: str
    value: float


Message = (
    Tick
    | AudioIn
    | AudioOut
    | HeardLabel
    | Plan
    | Fragment
    | Played
    | Feedback
    | Clip
    | MemoryChanged
    | EvolutionState
    | Control
    | CodeRequest
    | CodeRanked
    | CodePlay
    | CodeSent
    | Heartbeat
    | Metric
)
