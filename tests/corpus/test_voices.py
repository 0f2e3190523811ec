import pytest

from corpus.midi_song import MidiNote, MidiPart, MidiSong
from corpus.voices import CHORDAL, MELODIC, VoiceConfig, draw_voice, reason_to_exclude


def part(program=0, chord=(60,), *, name="A", is_drums=False):
    notes = tuple(MidiNote(i / 2, i / 2 + 0.4, p, 80) for i in range(8) for p in chord)
    return MidiPart(name, program, is_drums, notes)


def song(*parts):
    return MidiSong(parts, 4.0, ())


def test_the_same_seed_and_names_give_the_same_voice_and_others_vary():
    one = part(40)
    draws = [draw_voice(VoiceConfig(seed=s), "song", one, song(one)) for s in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    assert draw_voice(VoiceConfig(seed=1), "other", one, song(one)) != draws[0]


def test_an_instrument_varies_within_its_family_without_timpani():
    one = part(40)
    programs = {draw_voice(VoiceConfig(seed=s), "song", one, song(one)).program for s in range(200)}
    assert programs == {40, 41, 42, 43, 44, 45, 46}


def test_a_file_that_names_no_instruments_gets_lines_and_chords():
    lead, chords = part(), part(chord=(48, 52, 55), name="B")
    whole = song(lead, chords)
    for seed in range(20):
        assert draw_voice(VoiceConfig(seed=seed), "song", lead, whole).program in MELODIC
        assert draw_voice(VoiceConfig(seed=seed), "song", chords, whole).program in CHORDAL


def test_instruments_as_written_stay():
    one = part(43)
    config = VoiceConfig(instruments="written")
    assert {draw_voice(config, f"song {i}", one, song(one)).program for i in range(20)} == {43}


def test_a_twin_plays_another_instrument():
    one = part()
    for seed in range(50):
        config = VoiceConfig(seed=seed)
        twin = draw_voice(config, "song", one, song(one), twin=True)
        assert twin.program != draw_voice(config, "song", one, song(one)).program


def test_draws_stay_within_what_is_configured():
    one = part()
    config = VoiceConfig(gain_db=2.0, detune_cents=5.0, reverb_share=0.0)
    for i in range(50):
        voice = draw_voice(config, f"song {i}", one, song(one))
        assert abs(voice.gain_db) <= 2
        assert abs(voice.detune_cents) <= 5
        assert voice.reverb_seconds == 0


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (part(is_drums=True), "drums"),
        (part(115), "percussion"),
        (part(47), "percussion"),
        (part(125), "sound effect"),
        (part(111), ""),
    ],
)
def test_drums_percussion_and_effects_are_excluded_by_rule(one, reason):
    assert reason in reason_to_exclude(one)
    assert bool(reason_to_exclude(one)) == bool(reason)
