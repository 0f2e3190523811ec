import io

import numpy as np
import pytest
import soundfile

from corpus.fingerprint import fingerprint, first_alike

RATE = 16_000


def melody(seed, seconds=24, rate=RATE):
    """Half-second tones of a random scale with five partials, fading."""
    rng = np.random.default_rng(seed)
    time = np.arange(rate // 2) / rate
    tones = 220 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11], 2 * seconds) / 12)
    parts = [np.sin(2 * np.pi * n * tones[:, None] * time) / n for n in range(1, 6)]
    return (0.1 * (sum(parts) * np.exp(-3 * time)).ravel()).astype(np.float32)


def through_vorbis(samples):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="OGG", subtype="VORBIS")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


CHANGES = {
    "quieter": lambda samples: 0.9 * samples,
    "quiet, 16 bit": lambda samples: np.rint(0.05 * samples * 32767) / 32767,
    "vorbis": through_vorbis,
    "50 ms late": lambda samples: np.concatenate([np.zeros(RATE // 20), samples]),
    "upside down": lambda samples: -samples,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_recording_is_known_again(change):
    changed = CHANGES[change](melody(0)).astype(np.float32)
    assert first_alike([fingerprint(melody(0), RATE), fingerprint(changed, RATE)]) == [0, 0]


def test_a_recording_is_known_again_at_another_rate():
    both = [fingerprint(melody(0), RATE), fingerprint(melody(0, rate=22_050), 22_050)]
    assert first_alike(both) == [0, 0]


def test_other_melodies_of_one_scale_and_sound_are_not_alike():
    assert first_alike(fingerprint(melody(seed), RATE) for seed in range(12)) == list(range(12))


def test_the_first_that_is_alike_is_found_among_others_of_other_lengths():
    made = [melody(0, 60), melody(1), np.zeros(RATE * 30), melody(0, 60)[: RATE * 30]]
    assert first_alike(fingerprint(one, RATE) for one in made) == [0, 1, 2, 0]


@pytest.mark.parametrize("seconds", [0, 1, 6])
def test_too_little_sound_has_no_fingerprint_and_is_alike_to_none(seconds):
    samples = np.concatenate([melody(0)[: seconds * RATE], np.zeros(20 * RATE)])
    assert fingerprint(samples, RATE) == ""
    assert first_alike(["", ""]) == [0, 1]
    assert first_alike([]) == []
