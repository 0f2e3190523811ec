"""The stems of one song: which parts of its files are worth keeping, and their samples.

Drums, percussion, effects, whole mixes, silent and near-empty parts are dropped with a reason.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from corpus.annotations import Annotations, read_annotations
from corpus.audio_file import AudioFileError, is_silent, read_audio
from corpus.doubling import are_doubled_notes, are_doubled_samples
from corpus.fingerprint import fingerprint
from corpus.manifest import Dropped, ImportSettings, PartRecord
from corpus.midi_song import MidiNote, MidiPart, MidiSong, read_midi_song
from corpus.pairs import EFFECT_WORDS, LENGTH_TOLERANCE_SECONDS, unusable_words
from corpus.rendering import RING_SECONDS, Renderer
from corpus.song_sources import SongSource
from corpus.voices import Voice, draw_voice, reason_to_exclude

__all__ = ["AudioStems", "MidiStems"]

Samples = NDArray[np.float32]

BLOCK_SECONDS: Final = 0.1
QUIET_DB: Final = 45.0
TWIN: Final = " (twin)"


class MidiStems:
    """The parts of a MIDI file, rendered when they are asked for."""

    def __init__(
        self, source: SongSource, settings: ImportSettings, renderer: Callable[[], Renderer]
    ) -> None:
        self.dropped: list[Dropped] = []
        self.notices: list[str] = []
        self.parts: list[PartRecord] = []
        path = source.paths["midi"]
        song = read_midi_song(path)
        self._renderer = renderer
        self._midi: dict[str, MidiPart] = {}
        self.seconds = song.seconds + RING_SECONDS
        if self.seconds > settings.longest_seconds:
            self.notices.append(_cut_notice(self.seconds, settings.longest_seconds))
            self.seconds = settings.longest_seconds
        start = min(note.onset for part in song.parts for note in part.notes)
        for part in song.parts:
            reason = _reason_to_drop(part, settings, song.seconds)
            if reason:
                self.dropped.append(Dropped(part=part.name, reason=reason))
                continue
            self._midi[part.name] = part
            self._add(source, settings, part, song, start)
        self.annotations = read_annotations(path.parent)
        if not self.annotations.beats:
            self.annotations = self.annotations.model_copy(update={"beats": song.beats})

    def _add(
        self,
        source: SongSource,
        settings: ImportSettings,
        part: MidiPart,
        song: MidiSong,
        start: float,
    ) -> None:
        record = PartRecord(
            name=part.name,
            content=_notes_hash(part.notes, start),
            sounding_share=round(_sounding_share(part.notes, song.seconds), 4),
            program=part.program,
            n_notes=len(part.notes),
            voice=draw_voice(settings.voices, source.name, part, song),
        )
        self.parts.append(record)
        if settings.twins:
            voice = draw_voice(settings.voices, source.name, part, song, twin=True)
            twin = {"name": part.name + TWIN, "twin_of": part.name, "voice": voice}
            self.parts.append(record.model_copy(update=twin))

    def samples(self, part: PartRecord) -> Samples:
        """One part, rendered now, mono, shape (n,)."""
        voice = part.voice or Voice(program=0)
        return self._renderer().render(self._midi[part.twin_of or part.name], voice, self.seconds)

    def are_doubled(self, first: str, second: str) -> bool:
        """Whether two parts, by name, are one and the same music."""
        return are_doubled_notes(self._midi[first].notes, self._midi[second].notes)


class AudioStems:
    """Stems in audio files, read at once and cut to the shortest."""

    def __init__(self, source: SongSource, settings: ImportSettings) -> None:
        self.dropped: list[Dropped] = []
        self.notices: list[str] = []
        self.annotations = Annotations()
        self._rate = settings.sample_rate
        stems: dict[str, Samples] = {}
        rates = set()
        for name, path in source.paths.items():
            words = unusable_words(name) if source.layout == "stems" else set()
            if words:
                reason = f"its name says {', '.join(sorted(words))}"
                self.dropped.append(Dropped(part=name, reason=reason))
                continue
            try:
                stems[name] = read_audio(path, self._rate, 1)[:, 0]
                rates.add(soundfile.info(str(path)).samplerate)
            except AudioFileError as error:
                self.dropped.append(Dropped(part=name, reason=str(error)))
        if len(rates) > 1:
            told = " and ".join(f"{rate} Hz" for rate in sorted(rates))
            self.notices.append(f"the stems have {told}; all are resampled to {self._rate} Hz")
        self._stems = self._usable(stems, settings)
        self.parts = [
            PartRecord(
                name=name,
                content=_samples_hash(samples),
                fingerprint=fingerprint(samples, self._rate),
                sounding_share=round(_level_share(samples, self._rate), 4),
            )
            for name, samples in self._stems.items()
        ]

    def _usable(self, stems: dict[str, Samples], settings: ImportSettings) -> dict[str, Samples]:
        """Cut to the shortest; silent and near-empty ones are dropped."""
        lengths = [len(samples) for samples in stems.values()] or [0]
        shortest, longest = min(lengths), max(lengths)
        if longest - shortest > LENGTH_TOLERANCE_SECONDS * self._rate:
            self.notices.append(
                f"the stems last {shortest / self._rate:.1f} to {longest / self._rate:.1f} s; all "
                "are cut to the shortest"
            )
        most = int(settings.longest_seconds * self._rate)
        if shortest > most:
            self.notices.append(_cut_notice(shortest / self._rate, settings.longest_seconds))
        length = min(shortest, most)
        self.seconds = length / self._rate
        kept = {}
        for name, samples in stems.items():
            samples = samples[:length]
            if is_silent(samples):
                self.dropped.append(Dropped(part=name, reason="it is silent"))
            elif _level_share(samples, self._rate) < settings.least_sounding:
                share = _level_share(samples, self._rate)
                self.dropped.append(Dropped(part=name, reason=_near_empty(share)))
            else:
                kept[name] = samples
        return kept

    def samples(self, part: PartRecord) -> Samples:
        """One part, mono, shape (n,)."""
        return self._stems[part.name]

    def are_doubled(self, first: str, second: str) -> bool:
        """Whether two parts, by name, are one and the same music."""
        return are_doubled_samples(self._stems[first], self._stems[second], self._rate)


def _reason_to_drop(part: MidiPart, settings: ImportSettings, seconds: float) -> str:
    """Why a MIDI part is not kept, in words; empty if it is."""
    reason = reason_to_exclude(part)
    if not reason:
        words = sorted(unusable_words(part.name) - EFFECT_WORDS)
        reason = f"its name says {', '.join(words)}" if words else ""
    if not reason and len(part.notes) < settings.fewest_notes:
        reason = f"near-empty: {len(part.notes)} notes"
    share = _sounding_share(part.notes, seconds)
    if not reason and share < settings.least_sounding:
        reason = _near_empty(share)
    return reason


def _near_empty(share: float) -> str:
    return f"near-empty: it sounds for {share:.1%} of the song"


def _cut_notice(seconds: float, longest: float) -> str:
    return f"the song lasts {seconds:.0f} s; it is cut after {longest:.0f} s"


def _sounding_share(notes: Sequence[MidiNote], seconds: float) -> float:
    """The share of the song that the notes cover together."""
    covered, end = 0.0, 0.0
    for note in notes:
        covered += max(0.0, note.end - max(note.onset, end))
        end = max(end, note.end)
    return min(1.0, covered / seconds)


def _level_share(samples: Samples, sample_rate: int) -> float:
    """The share of 0.1 s blocks that are not far below the loud ones."""
    block = int(BLOCK_SECONDS * sample_rate)
    n = len(samples) // block
    if n == 0:
        return 0.0
    power = np.square(samples[: n * block].reshape(n, block), dtype=np.float64).mean(axis=1)
    return float((power > np.percentile(power, 95) * 10 ** (-QUIET_DB / 10)).mean())


def _notes_hash(notes: Sequence[MidiNote], start: float) -> str:
    """Names onsets (to 10 ms, from the first of the song) and pitches; loudness is no content."""
    rounded = [(round((note.onset - start) * 100), note.pitch) for note in notes]
    return hashlib.blake2b(
        np.array(sorted(rounded), dtype="<i4").tobytes(), digest_size=16
    ).hexdigest()


def _samples_hash(samples: Samples) -> str:
    whole = np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2")
    return hashlib.blake2b(whole.tobytes(), digest_size=16).hexdigest()
