"""MusicGen (Copet et al. 2023) through transformers: text, token embeddings or an audio prompt.

Weights come from a folder written by `save_pretrained`, or a hub id. They are only read. On two
cores the small model takes three to five seconds for a second of sound: for the background.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["MUSICGEN_LICENCE", "MusicGenGenerator"]

FloatArray = NDArray[np.float32]
MUSICGEN_LICENCE: Final = "MusicGen's weights are CC-BY-NC 4.0: not for paid shows"
_GUIDANCE: Final = 3.0  # classifier-free guidance, as the authors use it


class MusicGenGenerator:
    """Clips from prompts (text) or embeddings ((tokens, dim), fed through the T5 encoder).

    Args:
        folder: of the weights, or a hub id.
        audio_prompt: mono sound at the model's rate that every clip goes on from; None for none.

    Raises:
        ValueError: no such model, or not MusicGen.
    """

    licence = MUSICGEN_LICENCE
    allows_paid_shows = False

    def __init__(self, folder: str, audio_prompt: FloatArray | None = None) -> None:
        from transformers import AutoTokenizer, MusicgenForConditionalGeneration

        if not folder:
            raise ValueError("musicgen needs generator.model: a folder of weights, or a hub id")
        try:
            model: Any = MusicgenForConditionalGeneration.from_pretrained(folder)
            self._model: Any = model.eval()
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ValueError(
                f"{folder} must hold MusicGen's weights and tokenizer, but loading failed: "
                f"{str(error).splitlines()[0]}"
            ) from error
        codec = self._model.config.audio_encoder
        self._sample_rate, self._frame_rate = int(codec.sampling_rate), codec.frame_rate
        self._n_codebooks = int(self._model.config.decoder.num_codebooks)
        self._audio_prompt = audio_prompt
        prompted = "" if audio_prompt is None else f"-from-{_digest([audio_prompt])}"
        self._name = f"musicgen-{_digest([self.embeddings()])}{prompted}"

    @property
    def name(self) -> str:
        """A digest of the weights and of the audio prompt."""
        return self._name

    @property
    def sample_rate(self) -> int:
        """Of the codec, 32 kHz for the published models."""
        return self._sample_rate

    def embeddings(self) -> FloatArray:
        """The text encoder's token embeddings, (vocabulary, dim): where embedding genomes live."""
        table: FloatArray = (
            self._model.text_encoder.get_input_embeddings().weight.detach().float().numpy()
        )
        return table

    @torch.no_grad()
    def generate(
        self, conditions: Sequence[str | FloatArray], seconds: float, seeds: Sequence[int]
    ) -> list[FloatArray]:
        """One clip per condition, each reproducible by its own seed, whatever else is in the batch.

        Sampling shares one generator of chance, so clips with seeds of their own are generated one
        after the other; a batch would tie each to its neighbours.

        Raises:
            ValueError: not as many seeds as conditions, or an embedding of another width.
        """
        if len(seeds) != len(conditions):
            raise ValueError(f"{len(conditions)} conditions need as many seeds, got {len(seeds)}")
        if not seconds > 0:
            raise ValueError(f"seconds must be above 0, got {seconds}")
        return [
            self._one(condition, seconds, seed)
            for condition, seed in zip(conditions, seeds, strict=True)
        ]

    def _one(self, condition: str | FloatArray, seconds: float, seed: int) -> FloatArray:
        inputs = self._text(condition) if isinstance(condition, str) else self._vectors(condition)
        if self._audio_prompt is not None:
            inputs["input_values"] = torch.from_numpy(self._audio_prompt)[None, None]
            inputs["padding_mask"] = torch.ones(1, 1, len(self._audio_prompt), dtype=torch.long)
        # the delay pattern between codebooks costs n - 1 steps
        n_steps = round(self._frame_rate * seconds) + self._n_codebooks - 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            audio = self._model.generate(**inputs, max_new_tokens=n_steps, do_sample=True)
        mono: FloatArray = audio[0].float().mean(dim=0).numpy()
        length = round(seconds * self._sample_rate)
        start = 0 if self._audio_prompt is None else max(0, len(mono) - length)
        return np.ascontiguousarray(mono[start : start + length])

    def _text(self, prompt: str) -> dict[str, Any]:
        read = self._tokenizer([prompt], return_tensors="pt", truncation=True, max_length=256)
        return {
            "input_ids": read["input_ids"],
            "attention_mask": read["attention_mask"],
            "guidance_scale": _GUIDANCE,
        }

    def _vectors(self, vectors: FloatArray) -> dict[str, Any]:
        """Embeddings through the text encoder, with the unconditional half that guidance needs."""
        from transformers.modeling_outputs import BaseModelOutput

        width = self.embeddings().shape[1]
        if vectors.ndim != 2 or vectors.shape[1] != width:
            raise ValueError(f"embeddings must be (tokens, {width}), got shape {vectors.shape}")
        given = torch.from_numpy(np.ascontiguousarray(vectors, np.float32))[None]
        mask = torch.ones(given.shape[:2], dtype=torch.long)
        hidden = self._model.text_encoder(inputs_embeds=given, attention_mask=mask)[0]
        return {
            "input_ids": torch.zeros(given.shape[:2], dtype=torch.long),  # fixes the batch size
            "encoder_outputs": BaseModelOutput(
                last_hidden_state=torch.cat([hidden, torch.zeros_like(hidden)])
            ),
            "attention_mask": torch.cat([mask, torch.zeros_like(mask)]),
            "guidance_scale": _GUIDANCE,
        }

    def close(self) -> None:
        """Let go of the weights."""
        del self._model


def _digest(arrays: Sequence[FloatArray]) -> str:
    digest = hashlib.blake2b(digest_size=4)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
