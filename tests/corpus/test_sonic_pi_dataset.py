"""The data set: judged, levelled, written once, taken up again."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from corpus.sonic_pi.dataset import CheckConfig, Dataset, DatasetConfig, Job, checked_pair
from corpus.sonic_pi.events import Event, ProgramError
from corpus.sonic_pi.renderer import Renderer, Rendering
from corpus.sonic_pi.templating import Template

RATE = 44_100
TEMPLATES = (
    Template("one", "play {{ whole(30, 100) }}\nsleep {{ sleep() }}\n"),
    Template("two", "sample :{{ sample() }}, amp: {{ amp() }}\n"),
)
EVENT = Event(0.25, "synth", "beep", {"note": 60.0, "amp": 1.0}, 7)


def rendering(level=0.1, errors=(), seconds=1.0, hz=440.0):
    tone = level * np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    audio = np.stack([tone, tone], axis=1).astype(np.float32)
    return Rendering((EVENT,), (), tuple(errors), seconds, audio, RATE)


def pair_of(job, **options):
    return checked_pair(job, rendering(**options), CheckConfig())


def job(index=0, template="one"):
    return Job(template, index, "play 60", 1.0)


def level_of(samples):
    return 20 * np.log10(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("level", [0.002, 0.1, 0.6])
def test_a_pair_is_levelled_whatever_its_loudness(level):
    pair = pair_of(job(), level=level)
    assert pair.outcome == "kept"
    assert pair.level_db == pytest.approx(20 * np.log10(level), abs=0.1)
    assert level_of(pair.samples()) == pytest.approx(-23, abs=0.1)
    assert len(pair.samples()) == 22_050


def test_levelling_never_clips():
    audio = np.zeros((RATE, 2), dtype=np.float32)
    audio[1000] = 0.5
    spiky = Rendering((EVENT,), (), (), 1.0, audio, RATE)
    pair = checked_pair(job(), spiky, CheckConfig())
    assert pair.outcome == "kept"
    assert 0.9 < np.abs(pair.samples()).max() < 1


def test_silence_clipping_and_failure_are_told_apart_and_keep_no_sound():
    failure = ProgramError("runtime", "no such synth")
    cases = {
        "silent": pair_of(job(), level=1e-5),
        "clipped": pair_of(job(), level=1.2),
        "failed": pair_of(job(), errors=[failure]),
    }
    assert {name: pair.outcome for name, pair in cases.items()} == {n: n for n in cases}
    assert all(pair.sound == b"" for pair in cases.values())
    assert "no such synth" in cases["failed"].note
    with pytest.raises(ValueError, match="it was silent"):
        cases["silent"].samples()


def test_the_same_render_gives_the_same_bytes():
    assert pair_of(job()).sound == pair_of(job()).sound


@pytest.mark.parametrize(
    ("message", "n_left"),
    [
        ("the sound was not made within 8.0 s of real time", 6),
        ("the language server gave no answer within 9 s of real time and was replaced", 6),
        ("there is no synth zaw", 5),
    ],
)
def test_what_failed_because_the_machine_was_busy_is_tried_again(tmp_path, message, n_left):
    with Dataset(tmp_path, DatasetConfig(renders=3), TEMPLATES) as dataset:
        dataset.add(pair_of(job(), errors=[ProgramError("sound", message)]))
        assert len(list(dataset.missing())) == n_left == 6 - dataset.n_tried
        dataset.add(pair_of(job()))
        assert len(list(dataset.missing())) == 5
        assert dataset.counts()["failed"] == 0


def test_what_was_added_is_read_back(tmp_path):
    with Dataset(tmp_path, DatasetConfig(renders=2), TEMPLATES) as dataset:
        dataset.add(pair_of(job(1)))
        dataset.add(pair_of(job(0), level=1e-6))
    with Dataset(tmp_path) as dataset:
        (kept,) = dataset.pairs()
        assert (kept.template, kept.index, kept.code) == ("one", 1, "play 60")
        assert kept.events == (EVENT,)
        assert level_of(kept.samples()) == pytest.approx(-23, abs=0.1)
        assert [p.index for p in dataset.pairs("kept", "silent", sound=False)] == [0, 1]
        assert dataset.counts() == {"kept": 1, "silent": 1, "clipped": 0, "failed": 0}


def test_a_stopped_data_set_goes_on_where_it_was_and_ends_the_same(tmp_path):
    config = DatasetConfig(renders=3, seed=4)
    with Dataset(tmp_path / "a", config, TEMPLATES) as dataset:
        jobs = list(dataset.missing())
        for each in jobs[:2]:
            dataset.add(pair_of(each))
    with Dataset(tmp_path / "a", config, TEMPLATES) as dataset:
        rest = list(dataset.missing())
        assert rest == jobs[2:]
        for each in rest:
            dataset.add(pair_of(each))
        assert list(dataset.missing()) == []
        assert dataset.n_wanted == 6 == sum(dataset.counts().values())
        codes = [pair.code for pair in dataset.pairs(sound=False)]
    assert codes == [TEMPLATES[i // 3].fill(i % 3, seed=4).code for i in range(6)]


def test_a_data_set_may_grow_but_not_be_mixed(tmp_path):
    with Dataset(tmp_path, DatasetConfig(renders=1), TEMPLATES):
        pass
    with Dataset(tmp_path, DatasetConfig(renders=2), TEMPLATES) as dataset:
        assert len(list(dataset.missing())) == 4
    with pytest.raises(ValueError, match="was made with"):
        Dataset(tmp_path, DatasetConfig(renders=2, seconds=4), TEMPLATES)
    with pytest.raises(ValueError, match="templates must be those"):
        Dataset(tmp_path, DatasetConfig(renders=2), TEMPLATES[:1])


def test_templates_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="different names"):
        Dataset(tmp_path, DatasetConfig(), (TEMPLATES[0], TEMPLATES[0]))


@pytest.mark.parametrize("place", ["file", "file/below", "sound/file", "row/folder"])
def test_a_folder_that_cannot_be_one_is_named_with_what_to_do(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "sound").mkdir()
    (tmp_path / "sound/file").mkdir()
    (tmp_path / "sound/file/sound").write_text("mine")
    (tmp_path / "row/folder/pairs.sqlite").mkdir(parents=True)
    with pytest.raises(OSError, match=r"must be a folder of data .* choose another folder"):
        Dataset(tmp_path / place, DatasetConfig(), TEMPLATES)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "content", ["", "config: [", "config: {}", "[1]", "config: {seed: x}\ntemplates: {}", "\0"]
)
def test_a_damaged_description_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "dataset.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"dataset\.yaml must say .* damaged") as refused:
        Dataset(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_damaged_table_is_refused(tmp_path):
    Dataset(tmp_path, DatasetConfig(), TEMPLATES).close()
    (tmp_path / "pairs.sqlite").write_bytes(b"no table" * 1000)
    with pytest.raises(OSError, match=r"not a database.*choose another folder"):
        Dataset(tmp_path)


def test_on_a_full_disk_what_was_written_stays_whole_and_nothing_is_half(tmp_path, monkeypatch):
    def fail(path, content):
        path.open("wb").write(content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Dataset(tmp_path, DatasetConfig(renders=2), TEMPLATES) as dataset:
        first, second, *_ = dataset.missing()
        dataset.add(pair_of(first))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", fail)
            with pytest.raises(OSError, match=r"No space left.*free the disk"):
                dataset.add(pair_of(second))
        (kept,) = dataset.pairs()
        assert (kept.template, kept.index) == (first.template, first.index)
        assert len([path for path in tmp_path.rglob("*.*") if "sqlite" not in path.name]) == 2
        dataset.add(pair_of(second))
        assert sum(dataset.counts().values()) == 2


def test_opening_nothing_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"render_corpus\.py"):
        Dataset(tmp_path)


@pytest.mark.usefixtures("needs_sonic_pi")
def test_a_real_filling_is_rendered_and_kept():
    filling = TEMPLATES[0].fill(0)
    with Renderer() as renderer:
        real = renderer.render(filling.code, 1.0)
    pair = checked_pair(Job("one", 0, filling.code, 1.0), real, CheckConfig())
    assert pair.outcome == "kept"
    assert level_of(pair.samples()) == pytest.approx(-23, abs=0.1)
    assert [event.name for event in pair.events] == ["beep"]
