"""Training on imported corpora, and every way they can be wrong."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import yaml

import models.training
from corpus.manifest import MANIFEST_FILE, ManifestError, load_manifest
from launch.corpus_material import fit_codebook, hear_corpora, label_pairs
from launch.train import main
from models.alphabet import SILENCE
from models.bundle import Bundle
from models.ear import EarConfig
from models.ear_training import EarNetwork
from models.encoder_config import LearnedConfig
from models.heard_history import codes_of
from models.key import KeyConfig
from models.key_normalisation import write_labels
from models.learned_ear import EarShape, EarWeights
from models.paired_labels import drawn

RATE, WINDOW = 8000, 0.25
MAJOR = np.array([0, 4, 7, 5, 9, 0, 7, 2])
SMALL = {
    "alphabet": 8, "n_layers": 1, "n_heads": 2, "width": 16, "horizon": 2, "context_seconds": 3,
    "sequence_seconds": 6, "max_steps": 30, "batch_size": 8, "learning_rate": 0.01,
}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


def run(config, out, *corpora, more=()):
    given = ["--config", str(config), "--out", str(out), "--corpus", *map(str, corpora)]
    return main([*given, "--window", str(WINDOW), *more])


def heard(corpora):
    return hear_corpora(corpora, WINDOW, KeyConfig(), EarConfig())


def copied(corpus, to):
    return shutil.copytree(corpus, to)


def change_manifest(corpus, change):
    content = json.loads((corpus / MANIFEST_FILE).read_text())
    change(content)
    (corpus / MANIFEST_FILE).write_text(json.dumps(content))
    return corpus


def test_corpora_give_one_bundle_that_says_what_it_is(corpora, config, tmp_path):
    assert run(config, tmp_path / "out", *corpora) == 0
    card = Bundle.load(tmp_path / "out").card
    assert card.key_normalised
    assert card.sample_rate == RATE
    assert card.trained["key"] == "running"
    assert {n: sum(c.values()) for n, c in card.trained["corpora"].items()} == {
        "pop-corpus": 5, "folk-corpus": 5,
    }  # fmt: skip
    assert card.trained["seed"] == 0
    assert len(card.trained["songs"]) == 10
    assert card.measured["n_active"] > 0
    assert card.trained["alphabet_card"]["songs"] == 2
    assert card.trained["alphabet_card"]["perplexity"] > 4
    assert "by song" in (tmp_path / "out" / "training.html").read_text()


def test_the_network_is_told_on_stage_the_history_that_it_was_trained_with(
    corpora, config, tmp_path
):
    assert run(config, tmp_path / "out", corpora[0]) == 0
    bundle = Bundle.load(tmp_path / "out")
    np.testing.assert_array_equal(bundle.decision["codes"], codes_of(bundle.codebook.centres))


def test_the_alphabet_is_that_of_the_sound_whatever_the_key(corpora):
    songs = heard(corpora[:1])
    centres = fit_codebook(songs, 8, 0)[0].centres
    for one in songs.songs:
        for part in one.parts.values():
            part.rotations[:] = 5
    np.testing.assert_array_equal(fit_codebook(songs, 8, 0)[0].centres, centres)


def test_a_killed_training_goes_on_to_the_same_bundle(corpora, config, tmp_path, monkeypatch):
    assert run(config, tmp_path / "whole", corpora[0]) == 0

    class Killed(BaseException):
        pass

    def schedule(step, config):
        if step == 27:
            raise Killed
        return usual(step, config)

    usual = models.training._schedule
    checkpoint = ("--checkpoint", str(tmp_path / "half"))
    monkeypatch.setattr("models.training._schedule", schedule)
    with pytest.raises(Killed):
        run(config, tmp_path / "resumed", corpora[0], more=checkpoint)
    monkeypatch.undo()
    assert (tmp_path / "half").exists()
    assert not (tmp_path / "resumed").exists()
    assert run(config, tmp_path / "resumed", corpora[0], more=checkpoint) == 0
    first, second = ((tmp_path / n / "decision.safetensors") for n in ("whole", "resumed"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.slow
@pytest.mark.ray
def test_two_workers_make_the_bundle_of_one(corpora, tmp_path, capsys):
    config = tmp_path / "dry.yaml"
    config.write_text(yaml.safe_dump(SMALL | {"dropout": 0.0}))
    assert run(config, tmp_path / "one", corpora[0]) == 0
    assert run(config, tmp_path / "two", corpora[0], more=["--workers", "2"]) == 0
    one, two = (Bundle.load(tmp_path / name) for name in ("one", "two"))
    assert two.card.trained["best_step"] == one.card.trained["best_step"]
    for name, weights in one.decision.items():
        np.testing.assert_allclose(two.decision[name], weights, atol=1e-4)
    assert run(config, tmp_path / "nine", corpora[0], more=["--workers", "9"]) == 2
    assert "workers must be 1 to 8" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "nine").exists()


@pytest.mark.parametrize("chroma", [0.0, 0.5])
def test_the_key_is_followed_only_by_an_ear_that_hears_chroma(corpora, tmp_path, chroma):
    shape = EarShape(first=2, second=2, hidden=4, chroma=chroma)
    weights = tmp_path / "ear.safetensors"
    EarWeights(shape, EarNetwork(shape, 0).arrays(), {}).save(weights)
    corpus = copied(corpora[0], tmp_path / "heard")
    change_manifest(corpus, lambda content: content["settings"].update(ear="learned 0"))
    ear = EarConfig(encoder="learned", learned=LearnedConfig(weights=str(weights)))
    assert ear.tells_key == (chroma > 0)
    if chroma:
        assert hear_corpora([corpus], WINDOW, KeyConfig(), ear).songs
    else:
        assert hear_corpora([corpus], WINDOW, None, ear).songs
        with pytest.raises(ManifestError, match="which the ear learned does not give"):
            hear_corpora([corpus], WINDOW, KeyConfig(), ear)


def test_every_song_stays_on_its_side(corpora):
    split = label_pairs(*(lambda h: (h, fit_codebook(h, 8, 0)[0]))(heard(corpora)))
    sides = {}
    for corpus in corpora:
        for record in load_manifest(corpus).used:
            sides[f"{corpus.name}/{record.name}"] = record.role
    for role in ("train", "validation", "test"):
        blocks = getattr(split, role)
        assert {block.song for block in blocks} == {n for n, r in sides.items() if r == role}
        assert len(blocks) == 2 * len({block.song for block in blocks})


def test_the_answer_is_written_under_the_key_known_before_it(corpora):
    songs = heard(corpora[:1])
    for one in songs.songs:
        for part in one.parts.values():
            assert set(part.rotations) <= set(range(12))
    codebook = fit_codebook(songs, 8, 0)[0]
    before = label_pairs(songs, codebook).test[0]
    guide = songs.with_role("test")[0].pairs[0][0]
    part = songs.with_role("test")[0].parts[guide]
    part.rotations[30:] = (part.rotations[30:] + 6) % 12
    after = label_pairs(songs, codebook).test[0]
    assert np.flatnonzero(before.heard != after.heard)[0] >= 30
    assert np.flatnonzero(before.answer != after.answer)[0] >= 31


def test_a_share_of_training_songs_is_also_written_with_the_key_a_fifth_off(corpora, monkeypatch):
    monkeypatch.setattr("launch.corpus_material.ASTRAY_EVERY", 2)
    songs = heard(corpora[:1])
    codebook = fit_codebook(songs, 8, 0)[0]
    split = label_pairs(songs, codebook)
    trained = [song.name for song in songs.with_role("train")]
    assert list(dict.fromkeys(block.song for block in split.astray)) == trained[::2]
    one = songs.with_role("train")[0]
    guide = one.parts[one.pairs[0][0]]
    expected = write_labels(guide.features, guide.silent, (guide.rotations + 5) % 12, codebook)
    np.testing.assert_array_equal(split.astray[0].heard, expected)
    assert (split.astray[0].heard != split.train[0].heard).any()
    unturned = hear_corpora(corpora[:1], WINDOW, None, EarConfig())
    assert label_pairs(unturned, codebook).astray == ()


def test_a_song_of_two_corpora_is_taken_once(corpora, tmp_path):
    again = copied(corpora[0], tmp_path / "again")
    songs = heard([corpora[0], again, corpora[1]])
    assert [one.collection for one in songs.songs] == ["pop-corpus"] * 5 + ["folk-corpus"] * 5
    assert len(songs.notices) == 5
    assert "it shares a part with pop-corpus/" in songs.notices[0]


def unequal(content):
    content["settings"]["sample_rate"] = 44100


def deaf(content):
    content["settings"]["ear"] = "another ear 0123"


def refused(content):
    for one in content["songs"]:
        one["refused"] = "it is silent"


def all_training(content):
    for one in content["songs"]:
        one["role"] = "train"


@pytest.mark.parametrize(
    ("change", "both", "message"),
    [
        (unequal, True, "must have one sample rate, got 8000 Hz in"),
        (deaf, True, "must have one ear, got"),
        (deaf, False, "must be heard by the encoder descriptors, got features of another ear"),
        (refused, False, "must hold songs that can be used, got none of 5"),
        (all_training, False, "got none for validation and test among 5 usable songs"),
    ],
)
def test_corpora_that_do_not_fit_are_one_sentence(
    corpora, config, tmp_path, capsys, change, both, message
):
    other = change_manifest(copied(corpora[1], tmp_path / "other"), change)
    given = [corpora[0], other] if both else [other]
    assert run(config, tmp_path / "out", *given) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert message in told
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


def test_no_corpus_and_another_window_length_are_one_sentence(corpora, config, tmp_path, capsys):
    assert run(config, tmp_path / "out", tmp_path) == 2
    assert "must be an imported corpus" in capsys.readouterr().err
    assert run(config, tmp_path / "out", corpora[0], more=("--window", "0.4")) == 2
    assert "import it again with --window 0.4" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_an_alphabet_larger_than_the_material_is_made_smaller_and_said(
    corpora, config, tmp_path, capsys
):
    more = ("--alphabet", "1024", "--steps", "1")
    assert run(config, tmp_path / "out", *corpora, more=more) == 0
    assert "classes instead of 1024" in capsys.readouterr().err
    assert Bundle.load(tmp_path / "out").card.n_labels < 1024


def test_unequal_silent_single_and_doubled_stems_teach_nothing_wrong(
    tmp_path, config, make_stem, make_corpus_song, import_songs
):
    """A stem cut short, a silent one, a mix with one stem, and a song that is there twice."""
    for i in range(5):
        make_corpus_song(tmp_path / "odd" / f"song {i}", i)
    bass = tmp_path / "odd" / "song 0" / "bass.wav"
    samples, _ = soundfile.read(bass)
    soundfile.write(bass, samples[: 50 * 2000 + 700], RATE)
    soundfile.write(tmp_path / "odd" / "song 1" / "silent.wav", np.zeros(80 * 2000), RATE)
    make_stem(tmp_path / "odd" / "alone" / "melody.wav", 60 + MAJOR.repeat(10))
    shutil.copytree(tmp_path / "odd" / "song 2", tmp_path / "odd" / "song 2 again")
    corpus = import_songs(tmp_path / "odd")
    songs = heard([corpus])
    assert sorted(one.name for one in songs.songs) == [f"odd-corpus/song {i}" for i in range(5)]
    cut, silenced = songs.songs[0], songs.songs[1]
    assert {len(part.silent) for part in cut.parts.values()} <= {50, 80}
    assert len({len(part.silent) for part in cut.parts.values()}) == 1
    assert "silent" not in silenced.parts
    split = label_pairs(songs, fit_codebook(songs, 8, 0)[0])
    for block in (*split.train, *split.validation, *split.test):
        assert len(block.heard) == len(block.answer) == len(block.fields)
        assert (block.answer != SILENCE).any()
    assert run(config, tmp_path / "out", corpus, more=("--steps", "2")) == 0


def test_a_report_rests_on_whole_pairs_of_all_songs_by_turns(corpora):
    songs = heard(corpora)
    train = label_pairs(songs, fit_codebook(songs, 8, 0)[0]).train
    some = drawn(train, 80 * len({b.song for b in train}), seed=0)
    assert {block.song for block in some} == {block.song for block in train}
    assert len(some) == len(train) / 2
    assert drawn(train, 1, seed=0)[0] in train
