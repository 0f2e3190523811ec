from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.manifest import (
    CorpusManifest,
    ImportSettings,
    ManifestError,
    PartRecord,
    SongRecord,
    assemble,
    load_manifest,
    to_json,
)
from corpus.song_split import divide
from corpus.whole_file import write_atomically


def song(name, *contents, collection="songs", doubled=(), refused=""):
    parts = tuple(
        PartRecord(name=f"part {i}", content=content, sounding_share=1.0)
        for i, content in enumerate(contents)
    )
    return SongRecord(
        name=name,
        collection=collection,
        layout="midi",
        sources={"midi": name},
        settings="s",
        parts=parts,
        doubled=doubled,
        refused=refused,
    )


def manifest(songs, rule="seed", seed=0):
    return assemble(songs, ImportSettings(), rule, seed, lambda groups: divide(groups, rule, seed))


def test_a_song_with_the_music_of_an_earlier_one_is_refused_by_name():
    made = manifest([song("b", "x", "y"), song("a", "y", "x"), song("c", "z", "w")])
    assert [one.name for one in made.used] == ["a", "c"]
    assert made.songs[1].refused == "it holds the same music as a, which is kept"
    assert made.songs[1].role is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(10, 19)), min_size=1, max_size=30))
def test_songs_that_share_a_part_are_on_one_side_of_the_split(parts):
    songs = [song(f"{i:02d}", str(a), str(b)) for i, (a, b) in enumerate(parts)]
    roles = {}
    for one in manifest(songs).used:
        for part in one.parts:
            assert roles.setdefault(part.content, one.role) == one.role


@given(st.integers(3, 200), st.integers(0, 5))
def test_a_drawn_split_is_80_10_10_and_every_side_has_a_song(n_songs, seed):
    made = manifest([song(f"{i:03d}", f"{i}a", f"{i}b") for i in range(n_songs)], seed=seed)
    counts = Counter(one.role for one in made.used)
    assert counts["test"] == counts["validation"] == max(1, round(0.1 * n_songs))
    assert counts["train"] > 0


def test_the_same_seed_draws_the_same_split_whatever_the_order_of_records():
    songs = [song(f"{i:03d}", f"{i}a", f"{i}b") for i in range(40)]
    assert manifest(songs) == manifest(songs[::-1])
    assert manifest(songs, seed=1) != manifest(songs)


@pytest.mark.parametrize(
    ("collection", "name", "role"),
    [
        ("POP909", "320", "train"),
        ("pop909", "POP909/321", "validation"),
        ("pop909", "361", "test"),
        ("musics", "d_e4m2", "validation"),
        ("freedoom", "musics/d_map25", "test"),
        ("freedoom", "musics/d_map24", "train"),
        ("openscore-quartets", "midi/Grieg_Edvard/x", "test"),
        ("openscore-quartets", "midi/Mozart/x", "train"),
        ("openscore-quartets", "midi/Haydn_Joseph/9", "validation"),
        ("openscore-quartets", "midi/Haydn_Joseph/1", "train"),
    ],
)
def test_the_known_collections_are_divided_as_their_notes_suggest(collection, name, role):
    haydn = [
        song(f"midi/Haydn_Joseph/{i}", f"{i}h", f"{i}i", collection="openscore-quartets")
        for i in range(10)
        if name != f"midi/Haydn_Joseph/{i}"
    ]
    made = manifest([song(name, "x", "y", collection=collection), *haydn], "suggested")
    assert {one.name: one.role for one in made.used}[name] == role


def test_doubled_parts_and_twins_are_no_pairs():
    one = song("a", "x", "y", "z", doubled=(("part 2", "part 0"),))
    assert one.pairs == [("part 0", "part 1"), ("part 1", "part 2")]
    twin = one.parts[1].model_copy(update={"twin_of": "part 0"})
    assert one.model_copy(update={"parts": (one.parts[0], twin)}).pairs == []


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    made = manifest([song("a", "x", "y"), song("b", refused="it is broken")])
    write_atomically(tmp_path / "manifest.json", to_json(made))
    assert load_manifest(tmp_path) == made
    assert [one.name for one in load_manifest(tmp_path).used] == ["a"]


@pytest.mark.parametrize("text", ["", "{}", '{"version": 9}', "[1]"])
def test_a_broken_manifest_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ManifestError, match="must be a manifest of version 1"):
        load_manifest(tmp_path)


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="import it first"):
        load_manifest(tmp_path)


def test_roles_select_usable_songs():
    made = manifest([song(f"{i}", f"{i}a", f"{i}b") for i in range(5)])
    assert isinstance(made, CorpusManifest)
    sides = [made.with_role(role) for role in ("train", "validation", "test")]
    assert [len(side) for side in sides] == [3, 1, 1]


def test_recordings_with_fingerprints_alike_are_the_same_music():
    def recorded(name, *prints):
        one = song(name, *(f"{name} {one}" for one in prints))
        parts = [
            part.model_copy(update={"fingerprint": print * 60})
            for part, print in zip(one.parts, prints, strict=True)
        ]
        return one.model_copy(update={"parts": tuple(parts)})

    songs = [recorded("a", "f", "8"), recorded("b", "e", "7"), recorded("c", "f", "2")]
    songs += [recorded(f"d{i}", f"{i}", "") for i in (4,)]
    made = manifest(songs)
    assert "the same music as a" in made.songs[1].refused
    roles = {one.name: one.role for one in made.used}
    assert roles["a"] == roles["c"]
    assert set(roles) == {"a", "c", "d4"}
