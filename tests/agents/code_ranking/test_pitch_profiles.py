"""Pitch profiles: stored ones mean what they say, new ones come out the same."""

import numpy as np
import pytest

from agents.code_ranking.chroma_kernels import note_profile, turned
from agents.code_ranking.pitch_profiles import PitchProfiles, build_profiles, stored_profiles
from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.renderer import Renderer


def test_every_sound_of_the_atlas_has_a_profile_that_sums_to_one():
    profiles, atlas = stored_profiles(), stored_atlas()
    assert set(profiles.synths) == set(atlas.synths)
    assert set(profiles.samples) == set(atlas.samples)
    for profile in (*profiles.samples.values(), *np.concatenate(list(profiles.synths.values()))):
        assert profile.sum() == pytest.approx(1, abs=5e-3)
        assert (profile >= 0).all()


def of_note(synth, note):
    profile = np.empty(12)
    note_profile(stored_profiles().synths[synth].astype(np.float64), float(note), profile)
    return profile


def test_a_note_turns_the_profile_of_its_synth():
    assert of_note("beep", 60).argmax() == 0
    assert of_note("beep", 67).argmax() == 7
    between = of_note("beep", 60.5)
    assert between[0] == pytest.approx(between[1], rel=0.15)


def test_notes_outside_the_measured_range_use_its_ends():
    np.testing.assert_allclose(of_note("saw", 24), of_note("saw", 36), rtol=1e-5)
    assert of_note("saw", 140).sum() == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize(("semitones", "first"), [(0.0, 0), (2.0, 2), (-1.0, 11), (25.0, 1)])
def test_a_profile_turns_by_semitones_and_folds_octaves(semitones, first):
    moved = np.empty(12)
    turned(np.eye(12)[0], semitones, moved)
    assert moved.tolist() == np.eye(12)[first].tolist()


@pytest.mark.usefixtures("needs_sonic_pi")
def test_profiles_measured_anew_are_those_stored(installed_sonic_pi, tmp_path):
    with Renderer() as renderer:
        measured = build_profiles(renderer.render, ["tri", "fm"], installed_sonic_pi.sample_folder)
    stored = stored_profiles()
    for name in ("tri", "fm"):
        np.testing.assert_allclose(measured.synths[name], stored.synths[name], atol=2e-3)
    for name in ("loop_amen", "bass_hard_c", "guit_em9"):
        np.testing.assert_allclose(measured.samples[name], stored.samples[name], atol=2e-3)
    assert isinstance(measured, PitchProfiles)
    measured.save(tmp_path / "p.npz")
    assert (tmp_path / "p.npz").stat().st_size > 1000
