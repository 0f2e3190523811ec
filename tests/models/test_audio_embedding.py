"""Descriptions of sounds and the space they lie in."""

import numpy as np
import pytest

from models.audio_embedding import (
    AudioSpace,
    AudioSpaceConfig,
    AxisWeights,
    Standardiser,
    distances_between,
)
from models.modulation_embedding import MODULATION_DIM, ModulationSpace, modulation_description
from models.sound_descriptors import (
    AXES,
    BLOCKS,
    DESCRIPTION_DIM,
    SoundPicture,
    describe,
    picture_of,
)

RATE = 22_050


def music(seed, hz=220.0, beats_per_second=2.0, partials=4, seconds=5.0):
    """Plucked notes in a row: pitch, rate and brightness apart from each other."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    envelope = np.exp(-6 * (t % (1 / beats_per_second)) * beats_per_second)
    tone = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, partials + 1))
    return (0.1 * envelope * tone + 1e-4 * rng.normal(size=len(t))).astype(np.float32)


def described(*sounds):
    return np.stack([describe(picture_of(sound, RATE)) for sound in sounds])


@pytest.fixture(scope="module")
def space():
    rng = np.random.default_rng(0)
    sounds = [
        music(i, rng.uniform(80, 800), rng.choice([1.0, 1.5, 2, 3, 4]), int(rng.integers(1, 12)))
        for i in range(40)
    ]
    return AudioSpace.fit(described(*sounds), AudioSpaceConfig(timbre=16, rhythm=16, harmony=12))


def axis_distance(space, first, second, axis):
    points = space.embed(described(first, second))[:, space.axis_slice(axis)]
    return float(np.linalg.norm(points[0] - points[1]))


def test_blocks_tile_the_description_and_every_axis_has_one():
    assert [b.start for b in BLOCKS[1:]] == [b.stop for b in BLOCKS[:-1]]
    assert (BLOCKS[0].start, BLOCKS[-1].stop) == (0, DESCRIPTION_DIM)
    assert {block.axis for block in BLOCKS} == set(AXES)


def test_level_and_channels_do_not_change_a_description():
    sound = music(0)
    reference = described(sound)[0]
    np.testing.assert_allclose(described(0.05 * sound)[0], reference, atol=2e-2)
    np.testing.assert_allclose(described(np.stack([sound, sound], 1))[0], reference, atol=1e-4)


def test_a_description_hardly_depends_on_the_sample_rate():
    t44 = np.arange(5 * 44_100) / 44_100
    t22 = np.arange(5 * RATE) / RATE
    pictures = [
        picture_of((0.1 * np.sin(2 * np.pi * 330 * t) * (t % 0.5 < 0.25)).astype(np.float32), rate)
        for t, rate in ((t44, 44_100), (t22, RATE))
    ]
    chroma = BLOCKS[-1].slice
    first, second = (describe(picture) for picture in pictures)
    np.testing.assert_allclose(first[chroma], second[chroma], atol=0.05)


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), np.zeros(10, np.float32)])
def test_silence_and_very_short_sounds_give_finite_numbers(sound):
    assert np.isfinite(described(sound)).all()
    assert described(sound).shape == (1, DESCRIPTION_DIM)


def test_the_pitch_played_is_the_strongest_chroma():
    chroma = describe(picture_of(music(0, hz=440.0, partials=1), RATE))[BLOCKS[-1].slice][:12]
    assert chroma.argmax() == 9


def test_autocorrelation_peaks_at_the_beat():
    onsets = describe(picture_of(music(0, beats_per_second=2.0), RATE))[BLOCKS[3].slice][:40]
    lags = np.geomspace(0.1, 3.2, 40)
    assert lags[1 + onsets[1:].argmax()] == pytest.approx(0.5, rel=0.1) or (
        lags[1 + onsets[1:].argmax()] % 0.5 < 0.06
    )


def test_each_axis_answers_to_its_own_change(space):
    base = music(0, 220.0, 2.0, 4)
    changed = {
        "timbre": music(0, 220.0, 2.0, 11),
        "rhythm": music(0, 220.0, 3.0, 4),
        "harmony": music(0, 220.0 * 2 ** (5 / 12), 2.0, 4),
    }
    for axis in ("rhythm", "harmony"):
        others = [axis_distance(space, base, changed[o], axis) for o in AXES if o != axis]
        assert axis_distance(space, base, changed[axis], axis) > 1.5 * max(others)
    assert axis_distance(space, base, changed["timbre"], "timbre") > axis_distance(
        space, base, changed["rhythm"], "timbre"
    )


def test_weights_scale_axes_and_zero_switches_one_off(space):
    points = space.embed(described(music(0), music(0, beats_per_second=3.0)))
    rhythm = space.axis_slice("rhythm")
    weighed = space.weigh(points, AxisWeights(timbre=0, rhythm=2, harmony=0))
    expected = 2 * np.linalg.norm(points[0, rhythm] - points[1, rhythm])
    assert distances_between(weighed)[0, 1] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(space.weigh(points), points)


def test_blocks_are_balanced_whatever_their_size():
    rng = np.random.default_rng(0)
    descriptions = rng.normal(size=(4000, DESCRIPTION_DIM)).astype(np.float32)
    config = AudioSpaceConfig(timbre=200, rhythm=172, harmony=36)
    space = AudioSpace.fit(descriptions, config)
    points = space.embed(descriptions)
    share = {axis: (points[:, space.axis_slice(axis)] ** 2).sum(1).mean() for axis in AXES}
    assert share["rhythm"] == pytest.approx(1, rel=0.05)
    assert share["harmony"] == pytest.approx(1, rel=0.05)
    assert share["timbre"] == pytest.approx(3, rel=0.05)  # it has three blocks


def test_principal_components_keep_distances(space):
    descriptions = described(music(0), music(1, 500, 3, 2), music(2, 130, 1, 9))
    whole = AudioSpace.fit(
        np.concatenate([descriptions, described(music(3, 300), music(4, 200, 4))]),
        AudioSpaceConfig(timbre=200, rhythm=172, harmony=36),
    )
    full = distances_between(whole.embed(descriptions))
    kept = distances_between(
        AudioSpace.fit(
            np.concatenate([descriptions, described(music(3, 300), music(4, 200, 4))]),
            AudioSpaceConfig(timbre=8, rhythm=8, harmony=8),
        ).embed(descriptions)
    )
    np.testing.assert_allclose(kept, full, rtol=1e-3)
    del space


def test_a_space_is_read_back_as_it_was_written(space, tmp_path):
    descriptions = described(music(5), music(6, 300))
    space.save(tmp_path / "space.safetensors")
    loaded = AudioSpace.load(tmp_path / "space.safetensors")
    np.testing.assert_array_equal(loaded.embed(descriptions), space.embed(descriptions))


def test_a_file_that_is_no_space_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(2, np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="must be an audio space"):
        AudioSpace.load(tmp_path / "x.safetensors")


def test_standardising_cuts_outliers_and_drops_constants():
    values = np.array([[1.0, 5], [2, 5], [3, 5]], dtype=np.float32)
    fitted = Standardiser.fit(values)
    assert fitted.apply(np.array([[1e9, 6.0]], np.float32)).tolist() == [[4.0, 0.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: picture_of(np.zeros(0, np.float32), RATE), "not empty"),
        (lambda: picture_of(np.full(99, np.nan, np.float32), RATE), "finite"),
        (lambda: picture_of(np.zeros(99, np.float32), 10), "at least 4000 Hz"),
        (lambda: AudioSpace.fit(np.zeros((3, 4), np.float32)), f"n, {DESCRIPTION_DIM}"),
        (lambda: Standardiser.fit(np.zeros((1, 4), np.float32)), "at least 2"),
        (
            lambda: SoundPicture(np.zeros((3, 4), np.float32), 0.1, np.zeros((12, 1), np.float32)),
            r"mel must have shape \(64, ≥ 1\)",
        ),
        (
            lambda: SoundPicture(np.zeros((64, 4), np.float32), 0, np.zeros((12, 1), np.float32)),
            "mel_hop_seconds",
        ),
        (lambda: modulation_description(np.zeros(10, np.float32), RATE), "at least 0.1 s"),
    ],
)
def test_malformed_input_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_evaluation_embedding_hears_modulation_rate_and_brightness():
    base, faster, brighter, again = (
        modulation_description(sound, RATE)
        for sound in (music(0), music(0, beats_per_second=5.0), music(0, partials=20), music(9))
    )
    assert base.shape == (MODULATION_DIM,)
    points = ModulationSpace.fit(np.stack([base, faster, brighter, again])).embed(
        np.stack([base, faster, brighter, again])
    )
    apart = distances_between(points)[0]
    assert apart[3] < min(apart[1], apart[2])


def test_the_evaluation_embedding_does_not_depend_on_level():
    sound = music(0)
    np.testing.assert_allclose(
        modulation_description(0.1 * sound, RATE), modulation_description(sound, RATE), atol=0.15
    )


def test_silence_has_a_finite_evaluation_embedding():
    assert np.isfinite(modulation_description(np.zeros(RATE, np.float32), RATE)).all()
