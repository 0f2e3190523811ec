"""Pitch profiles: stored ones mean what they say, new ones come out the same."""

import numpy as np
import pytest

from agents.code_ranking.pitch_profiles import PitchProfiles, build_profiles, stored_profiles
from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.install import SonicPiMissingError, find_installation
from corpus.sonic_pi.renderer import Renderer
from corpus.sonic_pi.sandbox import SandboxMissingError


def test_every_sound_of_the_atlas_has_a_profile_that_sums_to_one():
    profiles, atlas = stored_profiles(), stored_atlas()
    assert set(profiles.synths) == set(atlas.synths)
    assert set(profiles.samples) == set(atlas.samples)
    for profile in (*profiles.samples.values(), *np.concatenate(list(profiles.synths.values()))):
        assert profile.sum() == pytest.approx(1, abs=5e-3)
        assert (profile >= 0).all()


def test_a_note_turns_the_profile_of_its_synth():
    profiles = stored_profiles()
    at_c, at_g = profiles.of_note("beep", 60), profiles.of_note("beep", 67)
    assert at_c.argmax() == 0
    assert at_g.argmax() == 7
    between = profiles.of_note("beep", 60.5)
    assert between[0] == pytest.approx(between[1], rel=0.15)


def test_notes_outside_the_measured_range_use_its_ends():
    profiles = stored_profiles()
    np.testing.assert_allclose(profiles.of_note("saw", 24), profiles.of_note("saw", 36), rtol=1e-5)
    assert np.isfinite(profiles.of_note("saw", 140)).all()


def test_unknown_names_are_a_pure_tone_and_a_flat_sound():
    profiles = stored_profiles()
    assert profiles.of_note("mine", 62).tolist() == np.eye(12)[2].tolist()
    assert np.ptp(profiles.of_sample("mine", 1.0)) == 0
    assert np.ptp(profiles.of_sample("bd_haus", 0.0)) == 0


def test_playing_backwards_does_not_change_pitch():
    profiles = stored_profiles()
    np.testing.assert_array_equal(
        profiles.of_sample("bass_hard_c", -1.0), profiles.of_sample("bass_hard_c", 1.0)
    )


def test_profiles_measured_anew_are_those_stored(tmp_path):
    try:
        installation = find_installation()
        with Renderer() as renderer:
            measured = build_profiles(renderer.render, ["tri", "fm"], installation.sample_folder)
    except (SonicPiMissingError, SandboxMissingError) as error:
        pytest.skip(str(error))
    stored = stored_profiles()
    for name in ("tri", "fm"):
        np.testing.assert_allclose(measured.synths[name], stored.synths[name], atol=2e-3)
    for name in ("loop_amen", "bass_hard_c", "guit_em9"):
        np.testing.assert_allclose(measured.samples[name], stored.samples[name], atol=2e-3)
    assert isinstance(measured, PitchProfiles)
    measured.save(tmp_path / "p.npz")
    assert (tmp_path / "p.npz").stat().st_size > 1000
