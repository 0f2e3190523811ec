import numpy as np
import pytest

from corpus.sonic_pi.atlas import ATLAS_NOTES, Atlas, Sound, build_atlas, load_atlas, stored_atlas
from corpus.sonic_pi.instruments import (
    Instruments,
    SampleFacts,
    stored_instruments,
    write_instruments,
)
from corpus.sonic_pi.mel import (
    FRAME_SECONDS,
    N_BANDS,
    SAMPLE_RATE,
    band_hertz,
    low_pass,
    mel_spectrogram,
    shifted_bands,
)


def tone(hertz, seconds=1.0):
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def test_a_tone_lights_the_band_of_its_frequency():
    power = mel_spectrogram(tone(1000.0))
    loudest = int(power.mean(axis=1).argmax())
    assert abs(band_hertz()[loudest] - 1000.0) < 40.0


def test_frames_are_2048_samples():
    assert mel_spectrogram(np.zeros(SAMPLE_RATE, np.float32)).shape == (N_BANDS, 21)
    assert mel_spectrogram(np.zeros(100, np.float32)).shape == (N_BANDS, 0)


def test_power_does_not_depend_on_pan():
    left = np.stack([tone(440.0), np.zeros(SAMPLE_RATE, np.float32)], axis=1)
    right = left[:, ::-1]
    assert np.array_equal(mel_spectrogram(left), mel_spectrogram(right))


def test_audio_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="samples, channels"):
        mel_spectrogram(np.zeros((2, 3, 4)))


def test_a_shifted_spectrum_is_that_of_the_higher_tone():
    low = mel_spectrogram(tone(500.0)).mean(axis=1)[None]
    high = mel_spectrogram(tone(1000.0)).mean(axis=1)
    moved = shifted_bands(low, [12.0])[0]
    assert abs(int(moved.argmax()) - int(high.argmax())) <= 1
    assert moved.sum() == pytest.approx(high.sum(), rel=0.4)


def test_a_low_pass_takes_away_what_is_above():
    response = low_pass(60.0)  # 262 Hz
    assert response[band_hertz() < 100].min() > 0.8
    assert response[band_hertz() > 2000].max() < 0.01


def test_facts_survive_being_written(tmp_path):
    facts = stored_instruments()
    assert facts.defaults["beep"]["release"] == 1.0
    assert facts.samples["loop_amen"].seconds == pytest.approx(1.753, abs=0.01)
    write_instruments(facts, tmp_path / "facts.json")
    stored = (tmp_path / "facts.json").read_text(encoding="utf-8")
    assert '"bd_haus": [' in stored


def test_an_atlas_is_the_same_after_storing_it(tmp_path):
    rng = np.random.default_rng(1)
    sound = Sound(
        rng.dirichlet(np.ones(N_BANDS), 2).astype(np.float32), rng.random((2, 9), np.float32)
    )
    atlas = Atlas({"beep": (sound,) * len(ATLAS_NOTES)}, {"bd": sound})
    atlas.save(tmp_path / "atlas.npz")
    again = load_atlas(tmp_path / "atlas.npz")
    assert again.samples["bd"].spectra == pytest.approx(sound.spectra, rel=0.05, abs=1e-6)
    assert again.synths["beep"][0].activity == pytest.approx(sound.activity, rel=0.05)
    atlas.save(tmp_path / "twice.npz")
    assert (tmp_path / "atlas.npz").read_bytes() == (tmp_path / "twice.npz").read_bytes()


def test_a_file_that_is_no_atlas_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", names=np.zeros(2))
    with pytest.raises(ValueError, match="must be an atlas; it lacks"):
        load_atlas(tmp_path / "other.npz")


def test_building_gives_the_spectrogram_of_what_is_rendered():
    facts = Instruments({"beep": {"note": 52.0, "amp": 1.0}}, {"ping": SampleFacts(0.5, 1)})

    def render(_code, seconds):
        sound = np.zeros((round(seconds * SAMPLE_RATE), 2), np.float32)
        sound[:, 0] = sound[:, 1] = np.resize(tone(700.0, seconds), len(sound))
        return sound

    atlas = build_atlas(facts, render)
    ping = atlas.samples["ping"]
    power = (ping.spectra.T @ ping.activity)[:, 2:8].mean(axis=1) * 0.4**2
    wanted = mel_spectrogram(tone(700.0)).mean(axis=1)
    assert len(atlas.synths["beep"]) == len(ATLAS_NOTES)
    assert power == pytest.approx(wanted, rel=0.1, abs=1e-5)


def test_the_stored_atlas_holds_every_synth_and_sample():
    atlas, facts = stored_atlas(), stored_instruments()
    assert set(atlas.samples) == set(facts.samples)
    missing = {name for name in facts.defaults if facts.has_synth(name)} - set(atlas.synths)
    assert all(name.startswith("sound_in") for name in missing)
    assert all(len(sounds) == len(ATLAS_NOTES) for sounds in atlas.synths.values())


def test_stored_synths_sound_higher_when_their_notes_are_higher():
    sounds = stored_atlas().synths["saw"]
    spectra = [sound.activity.mean(axis=1) @ sound.spectra for sound in sounds]
    centres = [float(spectrum @ band_hertz() / spectrum.sum()) for spectrum in spectra]
    assert centres[2:] == sorted(centres[2:])
    assert pytest.approx(0.0464, abs=1e-4) == FRAME_SECONDS
