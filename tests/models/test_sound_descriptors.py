"""Descriptions of pictures of sound against the formulas they stand for, written with numpy."""

import numpy as np
import pytest

from models.sound_descriptors import BLOCKS, FLOOR_DB, LAGS_SECONDS, SoundPicture, describe

HOP = 2048 / 44_100


@pytest.fixture(scope="module")
def picture():
    random = np.random.default_rng(7)
    mel = random.random((64, 215), np.float32) ** 6
    mel[:, ::8] *= 30
    return SoundPicture(mel, HOP, random.random((12, 100), np.float32))


def block(picture, name):
    return describe(picture)[next(block.slice for block in BLOCKS if block.name == name)]


def decibels(picture):
    power = picture.mel / picture.mel.sum(axis=0).mean()
    return 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))


def test_bands_are_their_means_and_deviations(picture):
    rows = decibels(picture)
    expected = np.concatenate([rows.mean(axis=1), rows.std(axis=1)])
    np.testing.assert_allclose(block(picture, "mel"), expected, rtol=1e-4)


def test_cepstra_are_means_deviations_and_mean_changes(picture):
    made = block(picture, "mfcc").reshape(3, 20)
    k, n = np.arange(1, 21)[:, None], np.arange(64)
    cepstrum = np.sqrt(2 / 64) * np.cos(np.pi * k * (2 * n + 1) / 128) @ decibels(picture)
    expected = cepstrum.mean(axis=1), cepstrum.std(axis=1), np.abs(np.diff(cepstrum)).mean(axis=1)
    np.testing.assert_allclose(made, expected, rtol=1e-3, atol=1e-4)


def test_shape_is_weighed_by_loudness(picture):
    made = block(picture, "shape")
    power, rows = picture.mel.astype(np.float64), decibels(picture)
    power = np.maximum(power / power.sum(axis=0).mean(), 10 ** (FLOOR_DB / 10))
    total, bands = power.sum(axis=0), np.arange(64)
    centroid = bands @ power / total
    width = np.sqrt((bands[:, None] - centroid) ** 2 * power / total).copy()
    width = np.sqrt((((bands[:, None] - centroid) ** 2) * power).sum(axis=0) / total)
    roll_off = (np.cumsum(power, axis=0) < 0.85 * total).sum(axis=0)
    flatness = 10 ** (rows.mean(axis=0) / 10) / (total / 64)
    curves, weight = np.stack([centroid, width, roll_off, flatness]), total / total.sum()
    mean = curves @ weight
    np.testing.assert_allclose(made[:4], mean, rtol=1e-4)
    spread = np.sqrt((curves - mean[:, None]) ** 2 @ weight)
    np.testing.assert_allclose(made[4:8], spread, rtol=1e-3)


def test_onsets_are_autocorrelations_mean_deviation_and_peaks(picture):
    made = block(picture, "onsets").reshape(4, -1)
    rise = np.maximum(np.diff(decibels(picture), axis=1, prepend=np.nan), 0)
    curves = np.nan_to_num(rise).reshape(4, 16, -1).mean(axis=1)
    curves[:, 0] = 0
    for row, curve in zip(made, curves, strict=True):
        centred = curve - curve.mean()
        whole = np.correlate(centred, centred, "full")[214:] / (centred @ centred)
        lags = LAGS_SECONDS / HOP
        np.testing.assert_allclose(row[:40], np.interp(lags, range(215), whole), atol=1e-4)
        assert row[40:42] == pytest.approx([curve.mean(), curve.std()], rel=1e-4)
        inner = curve[1:-1]
        tops = (inner > curve[:-2]) & (inner >= curve[2:]) & (inner > curve.mean() + curve.std())
        assert row[42] == pytest.approx(tops.sum() / (215 * HOP), rel=1e-5)


def test_silence_and_a_single_frame_are_described_by_finite_numbers():
    for frames in (1, 2, 50):
        silence = SoundPicture(np.zeros((64, frames), np.float32), HOP, np.zeros((12, 3)))
        assert np.isfinite(describe(silence)).all()
