"""Small songs to import: MIDI files with known notes, and stems with known sound."""

import mido
import numpy as np
import pytest
import soundfile

TICKS = 480
RATE = 8000


@pytest.fixture
def write_midi():
    """Writes a MIDI file of type 1 at 120 beats per minute.

    Call it with a path and tracks: (name, channel, program, [(beat, length, pitch), ...]).
    """

    def write(path, *tracks, extra=()):
        file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
        tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000), *extra])
        file.tracks.append(tempo)
        for name, channel, program, notes in tracks:
            events = [(0, 0, mido.Message("program_change", channel=channel, program=program))]
            for beat, length, pitch in notes:
                on = mido.Message("note_on", channel=channel, note=pitch, velocity=90)
                off = mido.Message("note_off", channel=channel, note=pitch)
                events += [(round(beat * TICKS), 2, on), (round((beat + length) * TICKS), 1, off)]
            track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
            for tick, _, message in sorted(events, key=lambda event: event[:2]):
                track.append(message.copy(time=tick - now))
                now = tick
            file.tracks.append(track)
        path.parent.mkdir(parents=True, exist_ok=True)
        file.save(path)
        return path

    return write


@pytest.fixture
def line():
    """`line(pitches, step=1)`: one note after another, a beat each unless said otherwise."""
    return lambda pitches, step=1.0, start=0.0: [
        (start + index * step, step, pitch) for index, pitch in enumerate(pitches)
    ]


@pytest.fixture
def write_stem():
    """`write_stem(path, pitches, rate=8000, seconds_each=0.5, level=0.3)`: sine tones in a row."""

    def write(path, pitches, rate=RATE, seconds_each=0.5, level=0.3):
        time = np.arange(int(seconds_each * rate)) / rate
        tones = [np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * time) for p in pitches]
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, level * np.concatenate(tones), rate)
        return path

    return write
