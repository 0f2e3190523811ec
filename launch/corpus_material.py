"""From imported corpora to labelled pairs: what a training on many songs learns from.

Every song stays on the side of the split that its manifest gives it. Each ordered pair of its
parts is a block: the guide is heard, the other answers, both turned by the guide's running key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.manifest import (
    CorpusManifest,
    ManifestError,
    Role,
    load_manifest,
    music_of,
)
from launch.song_hearing import BeatsMissingError, CorpusSong, hear_song, on_the_beat
from launch.train_material import Material, alphabet_size
from launch.train_settings import TrainSettings
from models.alphabet import SILENCE
from models.alphabet_card import ALL, CardPart, CardSong, measure_card
from models.bundle import BeatSegments
from models.ear import EarConfig
from models.key import N_ROTATIONS, KeyConfig
from models.key_normalisation import answered_under, write_labels
from models.paired_labels import Block, Split
from models.vector_quantizer import Codebook

MOST_WINDOWS: Final = 24_000
"""Windows that a codebook is fitted on; more change nothing and take longer."""
FEWEST_WINDOWS: Final = 40
"""Windows that a song must have."""
FIFTHS: Final = (5, 7)
"""Semitones by which a key is misjudged most."""
ASTRAY_EVERY: Final = 4
"""Of so many training songs one is also written as it is when its key is misjudged."""


@dataclass(frozen=True, eq=False)
class HeardCorpora:
    """All songs of some corpora, heard with one ear on one grid.

    Args:
        songs: in the order of the corpora and of their names.
        window_seconds: Δ; the median where it follows beats.
        beats: how it follows them; None for uniform windows.
        sample_rate: of the audio heard, Hz.
        key: how the running key of the guide follows; None if nothing is turned.
        notices: what the user should know, one sentence each.
    """

    songs: list[CorpusSong]
    window_seconds: float
    beats: BeatSegments | None
    sample_rate: int
    key: KeyConfig | None
    notices: list[str]

    def with_role(self, role: Role) -> list[CorpusSong]:
        """The songs on one side of the split."""
        return [song for song in self.songs if song.role == role]


def hear_corpora(
    folders: Sequence[Path],
    window_seconds: float,
    key: KeyConfig | None,
    ear: EarConfig,
    on_song: Callable[[str], None] = lambda _: None,
    per_beat: int | None = None,
) -> HeardCorpora:
    """Read the features of all usable songs, and follow the key of every part.

    Args:
        folders: imported corpora, one or more.
        window_seconds: Δ of uniform windows; every corpus must have been imported with it.
        key: how the running key follows; None leaves labels as they sound.
        ear: whose features are wanted.
        on_song: told the name of every song read.
        per_beat: windows per beat instead; every corpus must have been imported with fine windows,
            and songs without beats are left out.

    Raises:
        ManifestError: no corpus, an empty one, corpora that do not fit each other or the ear, or
            too few songs for a split.
    """
    manifests = [load_manifest(folder) for folder in folders]
    _check_alike(folders, manifests, ear)
    if key is not None and not ear.tells_key:
        raise ManifestError(
            f"the key is followed by chroma, which the ear {ear.encoder} does not give; set "
            "key_normalised: false, or take descriptors or a learned ear trained with --chroma"
        )
    beats = None
    if per_beat is not None:
        window_seconds, beats = on_the_beat(folders, per_beat)
    notices: list[str] = []
    songs: list[CorpusSong] = []
    music = music_of(part for one in manifests for song in one.used for part in song.parts)
    seen: dict[str, str] = {}  # music of a part → the song that it was first met in
    for folder, manifest in zip(folders, manifests, strict=True):
        earlier = dict(seen)
        for record in manifest.used:
            parts = {music[part.content] for part in record.parts}
            again = {earlier[part] for part in parts if part in earlier}
            if again:
                notices.append(
                    f"{folder.name}/{record.name} is left out: it shares a part with "
                    f"{min(again)} of another corpus."
                )
                continue
            seen |= dict.fromkeys(parts, f"{folder.name}/{record.name}")
            rate = manifest.settings.sample_rate
            try:
                song = hear_song(folder, rate, record, window_seconds, key, per_beat)
            except BeatsMissingError as error:
                notices.append(f"{folder.name}/{record.name} is left out: {error}.")
                continue
            if len(next(iter(song.parts.values())).silent) >= FEWEST_WINDOWS:
                songs.append(song)
            else:
                notices.append(f"{song.name} is left out: it is shorter than 40 windows.")
            on_song(song.name)
    rate = manifests[0].settings.sample_rate
    heard = HeardCorpora(songs, window_seconds, beats, rate, key, notices)
    missing = [role for role in ("train", "validation", "test") if not heard.with_role(role)]
    if missing:
        raise ManifestError(
            f"a training on corpora needs a song to train on, one to stop by and one to report on, "
            f"got none for {' and '.join(missing)} among {len(songs)} usable songs; import at "
            "least three songs"
        )
    return heard


def _check_alike(
    folders: Sequence[Path], manifests: Sequence[CorpusManifest], ear: EarConfig
) -> None:
    """Refuse corpora that are empty, or were not heard alike."""
    first = manifests[0].settings
    for folder, manifest in zip(folders, manifests, strict=True):
        settings = manifest.settings
        if not manifest.used:
            raise ManifestError(
                f"{folder} must hold songs that can be used, got none of {len(manifest.songs)}; "
                "look into its manifest.json for the reasons"
            )
        for what, here, there in (
            ("sample rate", f"{settings.sample_rate} Hz", f"{first.sample_rate} Hz"),
            ("ear", settings.ear, first.ear),
        ):
            if here != there:
                raise ManifestError(
                    f"corpora learned from together must have one {what}, got {there} in "
                    f"{folders[0]} and {here} in {folder}; import one of them again"
                )
        if not settings.ear.startswith(ear.encoder):
            raise ManifestError(
                f"{folder} must be heard by the encoder {ear.encoder}, got features of "
                f"{settings.ear or 'none'}; import it again"
            )


def fit_codebook(heard: HeardCorpora, alphabet: int, seed: int) -> tuple[Codebook, list[str]]:
    """An alphabet from the parts of the training songs, and a notice if it is smaller.

    Centres are found in the features as they sound, not as the key turns them. Turned music
    crowds into one key, and k-means would cut that key so finely that a label names a nuance which
    no answer can guess (on validation songs, K = 64: unigram 5.8 bits unturned 5.1, sampled TPP of
    counting 3.3 % against 5.8 %). Twelve keys' worth of centres also fit any rotation alike.

    Args:
        heard: the songs.
        alphabet: K wished for.
        seed: of the draw of windows and of the centres.

    Raises:
        SettingsError: too little sound for two classes.
    """
    rows = [
        part.features[~part.silent]
        for song in heard.with_role("train")
        for part in song.parts.values()
    ]
    sounding = np.concatenate(rows)
    if len(sounding) > MOST_WINDOWS:
        chosen = np.random.default_rng(seed).permutation(len(sounding))[:MOST_WINDOWS]
        sounding = sounding[np.sort(chosen)]
    size, notices = alphabet_size(sounding, alphabet)
    return Codebook.fit(sounding, size, seed), notices


def label_pairs(heard: HeardCorpora, codebook: Codebook) -> Split:
    """Every ordered pair of every song as one block of its whole length, on its side.

    Where labels follow a key, some training songs are also written as they are when it is
    misjudged, by a fifth up or down by turns: the commonest error, from which a network learns to
    notice it.

    Args:
        heard: the songs.
        codebook: the alphabet.
    """
    sides: dict[str, list[Block]] = {"train": [], "validation": [], "test": []}
    astray: list[Block] = []
    for song in heard.songs:
        sides[song.role] += _pair_blocks(song, codebook, (0,))
    if heard.key is not None:
        for song in heard.with_role("train")[::ASTRAY_EVERY]:
            astray += _pair_blocks(song, codebook, FIFTHS)
    roles = [tuple(sides[role]) for role in ("train", "validation", "test")]
    return Split(roles[0], roles[1], roles[2], "song", tuple(astray))


def _pair_blocks(song: CorpusSong, codebook: Codebook, errors: tuple[int, ...]) -> list[Block]:
    """The pairs of a song, turned too far by `errors` semitones by turns; none that only rests."""
    written: dict[tuple[str, bytes], NDArray[np.int64]] = {}

    def write(name: str, rotations: NDArray[np.int64]) -> NDArray[np.int64]:
        place = (name, rotations.tobytes())  # guides of one key share the work
        if place not in written:
            part = song.parts[name]
            written[place] = write_labels(part.features, part.silent, rotations, codebook)
        return written[place]

    blocks = []
    for number, (guide, answer) in enumerate(song.pairs):
        a, b = song.parts[guide], song.parts[answer]
        rotations = (a.rotations + errors[number // 2 % len(errors)]) % N_ROTATIONS
        answered = write(answer, answered_under(rotations))
        if (answered != SILENCE).any():
            heard = write(guide, rotations)
            blocks.append(Block(song.name, 0, 0, heard, a.fields, answered, b.fields))
    return blocks


def alphabet_figures(heard: HeardCorpora, codebook: Codebook, seed: int) -> dict[str, float]:
    """The alphabet card of validation songs in figures; empty for fewer than two songs.

    All parts of a song are turned by the key of one guide, as they are when they answer it. Chords
    and twins are not known here: `launch/alphabet_card.py` has the whole card.

    Args:
        heard: the songs.
        codebook: the alphabet.
        seed: of the wrong-song pairings.
    """
    songs = []
    for song in heard.with_role("validation"):
        rotations = song.parts[song.pairs[0][0]].rotations
        parts = {
            name: CardPart(
                write_labels(part.features, part.silent, rotations, codebook),
                part.fields[:, 0],
                song.instruments[name],
            )
            for name, part in song.parts.items()
        }
        songs.append(CardSong(song.name, parts, song.pairs[::2]))
    if len(songs) < 2:
        return {}
    card = measure_card(songs, codebook.n_classes, heard.window_seconds, seed)
    return {
        "songs": card.n_songs,
        "relation_bits": card.relation[ALL].bits,
        "relation_error": card.relation[ALL].error,
        "instrument_explained": card.instrument[ALL].share if ALL in card.instrument else 0.0,
        "energy_explained": card.energy[ALL].share if ALL in card.energy else 0.0,
        "perplexity": card.balance.perplexity,
        "classes_unused": card.balance.n_unused,
        "mean_run": card.balance.mean_run,
        "silent": card.balance.silent,
    }


def corpus_material(
    folders: Sequence[Path], settings: TrainSettings, on_song: Callable[[str], None]
) -> Material:
    """Labelled pairs of imported corpora.

    Args:
        folders: imported corpora.
        settings: window or windows per beat, alphabet wished for, ear, key.
        on_song: told the name of every song read.

    Raises:
        ManifestError: as in `hear_corpora`.
        SettingsError: too little sound.
    """
    key = settings.key if settings.key_normalised else None
    heard = hear_corpora(
        folders, settings.window_seconds, key, settings.ear, on_song, settings.windows_per_beat
    )
    codebook, notices = fit_codebook(heard, settings.alphabet, settings.seed)
    split = label_pairs(heard, codebook)
    collections = sorted({song.collection for song in heard.songs})
    about = {
        "corpora": {
            name: {
                role: sum(s.collection == name and s.role == role for s in heard.songs)
                for role in ("train", "validation", "test")
            }
            for name in collections
        },
        "key": "running" if settings.key_normalised else "none",
        "alphabet_card": alphabet_figures(heard, codebook, settings.seed),
    }
    return Material(
        split,
        codebook,
        {song.name: song.sources for song in heard.songs},
        heard.notices + notices,
        sum(len(part.silent) for song in heard.songs for part in song.parts.values()),
        heard.sample_rate,
        key,
        about,
        heard.window_seconds,
        heard.beats,
    )
