"""Multi-track MIDI as parts: who plays which notes, in seconds from the start of the file.

A part is what one track plays on one channel with one program, so files of one track and sixteen
channels work as well as files of many tracks. Tempo changes are resolved. Controllers and pitch
bends are kept, as they shape the sound; what would change the instrument, or add the effects of a
sequencer, is left out.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import mido

__all__ = ["MidiFileError", "MidiNote", "MidiPart", "MidiSong", "Shaping", "read_midi_song"]

LONGEST_SECONDS: Final = 3 * 3600.0
DRUM_CHANNEL: Final = 9
"""Channel 10 of General MIDI, counted from 0."""
PITCH_BEND: Final = -1
"""The `number` of a `Shaping` that is a pitch bend, not a controller."""
_IGNORED_CONTROLS: Final = frozenset({0, 32, 91, 92, 93, 94, 95})  # bank, effects
_BROKEN: Final = (EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError)


class MidiFileError(ValueError):
    """A MIDI file that cannot be used; the message says what must hold and what to do."""


@dataclass(frozen=True, order=True)
class MidiNote:
    """One note.

    Args:
        onset: seconds, ≥ 0.
        end: seconds, > onset.
        pitch: MIDI number, 0..127.
        velocity: 1..127.
    """

    onset: float
    end: float
    pitch: int
    velocity: int


@dataclass(frozen=True, order=True)
class Shaping:
    """A controller or a bend that shapes the sound from a moment on.

    Args:
        seconds: when, ≥ 0.
        number: controller 0..127, or PITCH_BEND.
        value: 0..127, or -8192..8191 for a bend.
    """

    seconds: float
    number: int
    value: int


@dataclass(frozen=True)
class MidiPart:
    """What one instrument plays.

    Args:
        name: unique in its song; letters, digits, blanks, "-" and "_" only.
        program: General MIDI program, 0..127.
        is_drums: it plays on the drum channel.
        notes: in the order of their onsets, at least one.
        shaping: controllers and bends of its channel, in order.
    """

    name: str
    program: int
    is_drums: bool
    notes: tuple[MidiNote, ...]
    shaping: tuple[Shaping, ...] = ()


@dataclass(frozen=True)
class MidiSong:
    """All parts of a file, on one clock.

    Args:
        parts: those with notes, in the order of tracks and channels.
        seconds: end of the last note, > 0.
        beats: times of the beats up to the end, seconds, from the tempo of the file.
    """

    parts: tuple[MidiPart, ...]
    seconds: float
    beats: tuple[float, ...]


def read_midi_song(path: str | Path) -> MidiSong:
    """The parts of a standard MIDI file of type 0 or 1.

    A note that is struck again ends first; what is never released ends with the file.

    Raises:
        MidiFileError: missing, not MIDI, cut short, of type 2, without notes, or longer than
            three hours.
    """
    path = Path(path)
    try:
        file = mido.MidiFile(str(path), clip=True)
        if file.type == 2:
            raise MidiFileError(f"{path} must be MIDI of type 0 or 1, got type 2; export it again")
        return _read(file, path)
    except MidiFileError:
        raise
    except FileNotFoundError as error:
        raise MidiFileError(f"{path} must exist, but there is no such file") from error
    except _BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MidiFileError(
            f"{path} must be a whole standard MIDI file, but reading it failed ({reason}); "
            "export it again"
        ) from error


@dataclass
class _Channel:
    """What is in force on a channel while the file is read."""

    program: int = 0
    held: dict[int, tuple[float, int, tuple[int, int, int]]] = field(default_factory=dict)
    shaping: list[Shaping] = field(default_factory=list)


def _read(file: mido.MidiFile, path: Path) -> MidiSong:
    if not 0 < file.ticks_per_beat < 1 << 15:
        raise MidiFileError(
            f"{path} must count time in ticks per beat, got {file.ticks_per_beat}; export it again"
        )
    events = _merged(file)
    clock = _TempoMap(file.ticks_per_beat)
    channels: dict[int, _Channel] = defaultdict(_Channel)
    notes: dict[tuple[int, int, int], list[MidiNote]] = defaultdict(list)
    now = 0.0
    for tick, track, message in events:
        now = clock.seconds_at(tick)
        if now > LONGEST_SECONDS:
            raise MidiFileError(
                f"{path} must last at most {LONGEST_SECONDS / 3600:.0f} hours, got an event at "
                f"{now / 3600:.1f} hours; cut it"
            )
        if message.type == "set_tempo":
            clock.change(tick, message.tempo)
        elif hasattr(message, "channel"):
            _take(message, now, track, channels[message.channel], notes)
    for channel in channels.values():
        for pitch in list(channel.held):
            _release(channel, pitch, now, notes)
    if not any(notes.values()):
        raise MidiFileError(f"{path} must hold notes, got none; leave it out")
    end = max(note.end for part in notes.values() for note in part)
    parts = _named(notes, [str(track.name) for track in file.tracks], channels)
    return MidiSong(parts, end, clock.beats_until(end))


def _merged(file: mido.MidiFile) -> list[tuple[int, int, Any]]:
    """(tick, track, message) of all tracks in order of time; tempo first, ends before onsets."""
    events = []
    for index, track in enumerate(file.tracks):
        tick = 0
        for message in track:
            tick += message.time
            events.append((tick, index, message))
    return sorted(events, key=lambda event: (event[0], _rank(event[2])))


def _rank(message: Any) -> int:  # noqa: ANN401  untyped messages
    if message.type == "set_tempo":
        return 0
    if message.type == "note_off" or (message.type == "note_on" and message.velocity == 0):
        return 1
    return 3 if message.type == "note_on" else 2


def _take(
    message: Any,  # noqa: ANN401  untyped messages
    now: float,
    track: int,
    channel: _Channel,
    notes: dict[tuple[int, int, int], list[MidiNote]],
) -> None:
    """Let one channel message take effect."""
    if message.type in ("note_on", "note_off"):
        _release(channel, message.note, now, notes)
        if message.type == "note_on" and message.velocity > 0:
            part = (track, message.channel, channel.program)
            channel.held[message.note] = (now, message.velocity, part)
    elif message.type == "program_change":
        channel.program = message.program
    elif message.type == "pitchwheel":
        channel.shaping.append(Shaping(now, PITCH_BEND, message.pitch))
    elif message.type == "control_change" and message.control not in _IGNORED_CONTROLS:
        channel.shaping.append(Shaping(now, message.control, message.value))


def _release(
    channel: _Channel,
    pitch: int,
    now: float,
    notes: dict[tuple[int, int, int], list[MidiNote]],
) -> None:
    if pitch in channel.held:
        onset, velocity, part = channel.held.pop(pitch)
        if now > onset:
            notes[part].append(MidiNote(onset, now, pitch, velocity))


def _named(
    notes: dict[tuple[int, int, int], list[MidiNote]],
    track_names: list[str],
    channels: dict[int, _Channel],
) -> tuple[MidiPart, ...]:
    parts: list[MidiPart] = []
    used: Counter[str] = Counter()
    for track, channel, program in sorted(key for key, found in notes.items() if found):
        name = re.sub(r"[^\w -]+", " ", track_names[track], flags=re.ASCII)
        name = " ".join(name.split())[:40] or f"track {track} channel {channel + 1}"
        used[name.lower()] += 1
        if used[name.lower()] > 1:
            name = f"{name} ({used[name.lower()]})".replace("(", "").replace(")", "")
        ordered = tuple(sorted(notes[track, channel, program]))
        shaping = tuple(channels[channel].shaping)
        parts.append(MidiPart(name, program, channel == DRUM_CHANNEL, ordered, shaping))
    return tuple(parts)


class _TempoMap:
    """Ticks to seconds; 120 beats per minute until told otherwise. Ticks must not go back."""

    def __init__(self, ticks_per_beat: int) -> None:
        self._ticks_per_beat = ticks_per_beat
        self._changes = [(0, 0.0, 500_000)]  # tick, seconds, microseconds per beat

    def seconds_at(self, tick: int) -> float:
        """Seconds at a tick at or after the last change."""
        start, seconds, tempo = self._changes[-1]
        return seconds + (tick - start) * tempo / (1e6 * self._ticks_per_beat)

    def change(self, tick: int, tempo: int) -> None:
        """Another tempo from `tick` on, microseconds per beat."""
        self._changes.append((tick, self.seconds_at(tick), tempo))

    def beats_until(self, end: float) -> tuple[float, ...]:
        """Times of all beats up to `end`, seconds."""
        beats: list[float] = []
        borders = [*self._changes[1:], (1 << 62, float("inf"), 0)]
        for (start, seconds, tempo), (stop, _, _) in zip(self._changes, borders, strict=True):
            beat = -(-start // self._ticks_per_beat)
            while (tick := beat * self._ticks_per_beat) < stop and tempo > 0:
                time = seconds + (tick - start) * tempo / (1e6 * self._ticks_per_beat)
                if time > end:
                    return tuple(beats)
                beats.append(time)
                beat += 1
        return tuple(beats)
