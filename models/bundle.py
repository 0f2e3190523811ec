"""A bundle: everything that training made, in one folder that says what it is.

`bundle.yaml` is the card (how to hear, how large the models are, how they were trained, what was
measured); `codebook.safetensors`, `counts.safetensors` and `decision.safetensors` hold the arrays,
and `attacks.safetensors`, if there, those of the forecast of attacks. The card knows the content
hash of each, so a foreign or damaged file is found before anything plays.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from models.attack_model import AttackModel
from models.count_model import CountModel, LiveCounts
from models.decision_model import DecisionModel
from models.ear import EarConfig, build_ear
from models.encoder_config import LiveHearing
from models.fine_windows import build_fine_ear
from models.key import KeyConfig, RunningKey
from models.labeller import Labeller
from models.live_transformer import LiveTransformer, check_weights
from models.transformer_config import TransformerConfig
from models.vector_quantizer import Codebook

FORMAT_VERSION: Final = 1
CARD_FILE: Final = "bundle.yaml"
TENSOR_FILES: Final = ("codebook.safetensors", "counts.safetensors", "decision.safetensors")
ATTACKS_FILE: Final = "attacks.safetensors"
"""The forecast of attacks; a bundle may be without."""

ModelKind = Literal["transformer", "counts"]
Arrays = Mapping[str, NDArray[Any]]


class BundleError(ValueError):
    """A bundle that cannot be used; the message is one sentence for the user."""


class BeatSegments(BaseModel, frozen=True, extra="forbid"):
    """Windows that are a fraction of the beat: on stage their length follows from the tempo."""

    windows_per_beat: int = Field(ge=1, description="2 is an eighth in four-four time.")
    lowest_bpm: float = Field(gt=0, description="95 % of the training songs are as fast or faster,")
    highest_bpm: float = Field(gt=0, description="95 % as slow or slower; beats per minute.")


class BundleCard(BaseModel, frozen=True, extra="forbid"):
    """What `bundle.yaml` says."""

    format_version: Literal[1] = Field(default=1, description="Of this folder's layout.")
    ear: EarConfig = Field(description="How a window becomes a vector, and when it is silent.")
    window_seconds: float = Field(
        gt=0, le=10, description="Δ of the training, seconds; the median where it follows beats."
    )
    beats: BeatSegments | None = Field(
        default=None, description="How windows follow the beat; none: they are uniform."
    )
    sample_rate: int = Field(ge=1000, description="Of the audio labelled for training, Hz.")
    n_labels: int = Field(ge=1, description="K, classes of the codebook.")
    horizon: int = Field(ge=1, le=64, description="H, windows predicted.")
    shift: Literal[1] = Field(
        default=1, description="Windows between the last heard and the first predicted: online."
    )
    transformer: TransformerConfig = Field(description="Size of the network; context in windows.")
    key_normalised: bool = Field(
        default=False,
        description="Labels are those of features turned by `rotation_of` the guide's running key.",
    )
    key: KeyConfig = Field(default_factory=KeyConfig, description="How that key follows the guide.")
    trained: dict[str, Any] = Field(description="On what, how, from which seeds.")
    measured: dict[str, Any] = Field(description="Figures on held-out material.")
    files: dict[str, str] = Field(default_factory=dict, description="SHA-256 of each tensor file.")


@dataclass(frozen=True, eq=False)
class Bundle:
    """What training made.

    Args:
        card: what it is.
        codebook: K centres.
        counts: the count model.
        decision: weights of the decision transformer, by name.
        attacks: weights of the forecast of attacks, by name; None without one.
    """

    card: BundleCard
    codebook: Codebook
    counts: CountModel
    decision: Arrays
    attacks: Arrays | None = None

    def labeller(
        self, sample_rate: int, window_seconds: float, live: LiveHearing | None = None
    ) -> Labeller:
        """The ear and codebook of this bundle, for a stage's own rate and window.

        It follows the key of what it hears if the bundle was trained so.

        Args:
            sample_rate: samples per second of what will be heard.
            window_seconds: length of a window, seconds, > 0.
            live: how a pretrained model hears on this machine; None hears as in training.
        """
        build = build_ear if self.card.beats is None else build_fine_ear
        ear = build(self.card.ear.heard_live(live), sample_rate, window_seconds)
        key = RunningKey(self.card.key, window_seconds) if self.card.key_normalised else None
        return Labeller(ear, self.codebook, key)

    def decision_model(self, kind: ModelKind) -> DecisionModel:
        """A fresh live model: "transformer", or "counts" (the fallback)."""
        if kind == "counts":
            return LiveCounts(self.counts)
        card = self.card
        return LiveTransformer(card.transformer, card.n_labels, card.horizon, self.decision)

    def attack_model(self) -> AttackModel | None:
        """The forecast of attacks, if there is one."""
        if self.attacks is None:
            return None
        return AttackModel(self.attacks, self.card.horizon, self.card.window_seconds)

    def save(self, folder: str | Path, beside: Mapping[str, bytes] | None = None) -> None:
        """Write the bundle to `folder`, whole or not at all; a bundle that is there is replaced.

        Args:
            folder: its last part becomes the bundle's name.
            beside: further files of the folder (a report), by name.

        Raises:
            BundleError: the folder cannot be written, or holds what is no bundle.
        """
        folder = Path(folder)
        check_target(folder)
        tensors: dict[str, Arrays] = {
            "codebook.safetensors": {"centres": self.codebook.centres},
            "counts.safetensors": self.counts.arrays(),
            "decision.safetensors": self.decision,
        }
        if self.attacks is not None:
            tensors[ATTACKS_FILE] = self.attacks
        partial: Path | None = None
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            partial.chmod(0o755)
            hashes = {}
            for name, arrays in tensors.items():
                content = save_tensors({k: np.ascontiguousarray(a) for k, a in arrays.items()})
                (partial / name).write_bytes(content)
                hashes[name] = hashlib.sha256(content).hexdigest()
            for name, content in (beside or {}).items():
                (partial / name).write_bytes(content)
            card = self.card.model_copy(update={"files": hashes}).model_dump(mode="json")
            text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True)
            (partial / CARD_FILE).write_text(text, encoding="utf-8")
            _replace(partial, folder)
        except OSError as error:
            raise BundleError(
                f"{folder} must be a folder that can be written, and is not ({error.strerror}); "
                "choose another --out or free the disk"
            ) from error
        finally:
            if partial is not None:
                shutil.rmtree(partial, ignore_errors=True)

    @classmethod
    def load(cls, folder: str | Path) -> "Bundle":
        """Read and check a bundle.

        Raises:
            BundleError: the folder or one of its files is missing, foreign, damaged, of another
                format version, or does not fit the card.
        """
        folder = Path(folder)
        card = _read_card(folder)
        names = [*TENSOR_FILES, *([ATTACKS_FILE] if ATTACKS_FILE in card.files else [])]
        arrays = {name: _read_tensors(folder / name, card.files[name]) for name in names}
        try:
            codebook = Codebook(arrays["codebook.safetensors"].get("centres", np.zeros((0, 0))))
            if codebook.n_classes != card.n_labels:
                raise ValueError(
                    f"the codebook must have {card.n_labels} centres, got {codebook.n_classes}"
                )
            counts = CountModel.from_arrays(
                arrays["counts.safetensors"], card.n_labels, card.horizon
            )
            decision = arrays["decision.safetensors"]
            check_weights(card.transformer, card.n_labels, card.horizon, decision)
            bundle = cls(card, codebook, counts, decision, arrays.get(ATTACKS_FILE))
            bundle.attack_model()  # refuses weights that do not fit
        except ValueError as error:
            raise BundleError(
                f"the bundle {folder} must hold arrays that fit its card: {error}; train it again"
            ) from error
        return bundle


REPORT_FILES: Final = ("training.html", "training.json")
"""What training writes beside a bundle."""


def check_target(folder: Path) -> None:
    """Refuse a place where a bundle must not or cannot be written; to be asked before any work.

    Args:
        folder: of a bundle to come: new, empty, or a bundle that it replaces.

    Raises:
        BundleError: something else is there, or its folder cannot be written.
    """
    parts = {CARD_FILE, *TENSOR_FILES, ATTACKS_FILE, *REPORT_FILES, ".DS_Store"}
    if not folder.exists():
        place = next(parent for parent in folder.absolute().parents if parent.exists())
        if not (place.is_dir() and os.access(place, os.W_OK)):
            raise BundleError(
                f"a bundle must lie in a folder that can be written, and {place} is none; "
                "choose another place"
            )
    elif not folder.is_dir() or (any(folder.iterdir()) and not (folder / CARD_FILE).is_file()):
        raise BundleError(
            f"a bundle must be written to a new or empty folder, or replace a bundle, and {folder} "
            "is neither; choose another place"
        )
    elif others := sorted(path.name for path in folder.iterdir() if path.name not in parts):
        raise BundleError(
            f"a bundle is replaced whole, and {folder} must hold nothing else, got {others[0]!r}; "
            "move it away or choose another place"
        )


def _replace(partial: Path, folder: Path) -> None:
    """Put `partial` in the place of `folder`; an old bundle stays whole until the last move."""
    if not folder.exists():
        os.rename(partial, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent)) / "bundle"
    try:
        os.rename(folder, old)
        os.rename(partial, folder)
    except OSError:
        if old.exists():
            os.rename(old, folder)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


def _read_card(folder: Path) -> BundleCard:
    """The validated card of a bundle folder."""
    path = folder / CARD_FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(
            f"{folder} must be a bundle with a {CARD_FILE}, and has none; "
            "give the folder that training wrote"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise BundleError(f"{path} must be readable YAML, and is not ({reason})") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{path} must have format_version {FORMAT_VERSION}, got {version!r}; "
            "train it again with this version"
        )
    try:
        card = BundleCard.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{path} must be a valid card: {where}: {first['msg']}") from error
    for name in TENSOR_FILES:
        if name not in card.files:
            raise BundleError(f"{path} must list the hash of {name}, and does not; train it again")
    return card


def _read_tensors(path: Path, expected_hash: str) -> dict[str, NDArray[Any]]:
    """The arrays of one file, if it is the one that the card names."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"the bundle must hold {path.name}, which cannot be read ({error.strerror}) in "
            f"{path.parent}; copy the whole folder or train it again"
        ) from error
    if hashlib.sha256(content).hexdigest() != expected_hash:
        raise BundleError(
            f"{path} must be the file that its {CARD_FILE} names, and is foreign or damaged "
            "(another content hash); copy the whole folder or train it again"
        )
    try:
        return load_tensors(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"{path} must be a safetensors file, and is not ({error})") from error
