"""The `pretrained` encoder: a Hugging Face model for raw audio (wav2vec 2.0, HuBERT, MERT).

The newest seconds, context and window, are resampled to the model's rate and heard as a whole;
only the frames that end inside the window are kept. Nothing after the window is heard, and
nothing is remembered, so the same context and precision give the same features live and offline.
"""

import functools
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from models.encoder_config import PretrainedConfig

__all__ = ["PretrainedEncoder"]

FloatArray = NDArray[np.float32]
OPTIONAL_WEIGHTS: Final = frozenset({"masked_spec_embed"})
"""Weights that only training uses."""


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A model, what prepares its input, and how many layers it really runs."""

    model: Any
    extractor: Any
    rate: int
    hop: int
    reach: int


class PretrainedEncoder:
    """Hidden layers of a pretrained model, for the frames that end inside the window.

    Args:
        config: which model and layer, how much it hears, in which precision, on how many threads
            of this process.
        sample_rate: samples per second of what it will hear.
        window_seconds: length of a window, seconds, > 0.

    Raises:
        ValueError: no such model, not one for raw audio, without weights, with code of its own, or
            a layer or context that it has not; one sentence.
    """

    def __init__(self, config: PretrainedConfig, sample_rate: int, window_seconds: float) -> None:
        if not 4000 <= sample_rate <= 384_000:
            raise ValueError(
                f"sample_rate must be in 4000..384000 Hz, got {sample_rate}; resample the audio"
            )
        if not 0 < window_seconds <= config.context_seconds:
            raise ValueError(
                f"a window must be above 0 and at most the context of {config.context_seconds} s, "
                f"got {window_seconds} s; give the encoder a longer context"
            )
        self._config, self._sample_rate = config, sample_rate
        self._loaded = _load(config.model, config.layer, config.precision, config.trust_remote_code)
        rate = self._loaded.rate
        self._n_heard = round(config.context_seconds * rate)
        self._start = self._n_heard - round(window_seconds * rate)
        torch.set_num_threads(config.threads)
        hidden = self._hear(np.zeros(self._n_heard, dtype=np.float32))
        ends = _frame_ends(len(hidden), self._n_heard, self._loaded)
        self._kept = np.flatnonzero(ends > self._start)
        if len(self._kept) == 0:
            self._kept = np.array([len(hidden) - 1])
        self._dim = int(hidden.shape[1])

    @property
    def history_samples(self) -> int:
        """How many of the newest samples `encode` needs: the context, the window included."""
        return round(self._config.context_seconds * self._sample_rate)

    @property
    def feature_dim(self) -> int:
        """Width of the model's hidden layers."""
        return self._dim

    def encode(self, history: FloatArray) -> FloatArray:
        """Hidden states of the frames that end inside the window, shape (frames, D).

        Args:
            history: newest samples, mono, finite, shape (≥ history_samples,), oldest first.
        """
        heard = history[-self.history_samples :]
        if self._sample_rate != self._loaded.rate:
            heard = soxr.resample(heard, self._sample_rate, self._loaded.rate)
        missing = max(0, self._n_heard - len(heard))
        exact = np.concatenate([np.zeros(missing, dtype=np.float32), heard])[-self._n_heard :]
        return self._hear(exact)[self._kept]

    @torch.inference_mode()
    def _hear(self, samples: FloatArray) -> FloatArray:
        """All frames of the chosen layer, shape (frames, D), float32."""
        loaded = self._loaded
        inputs = loaded.extractor(samples, sampling_rate=loaded.rate, return_tensors="pt")
        values = inputs[loaded.extractor.model_input_names[0]]
        if values.ndim != 2:
            raise ValueError(
                f"{self._config.model} must hear raw audio, but its feature extractor makes an "
                f"input of shape {tuple(values.shape)}; take a model such as wav2vec 2.0 or HuBERT"
            )
        if self._config.precision == "bfloat16":
            values = values.to(torch.bfloat16)
        hidden = loaded.model(values, output_hidden_states=True).hidden_states
        chosen = hidden if self._config.layer == "mean" else hidden[self._config.layer :][:1]
        frames: FloatArray = torch.stack([one[0].float() for one in chosen]).mean(dim=0).numpy()
        return frames


def _frame_ends(n_frames: int, n_samples: int, loaded: _Loaded) -> NDArray[np.int64]:
    """After which sample each frame ends; evenly spread where the model does not tell."""
    index = np.arange(n_frames)
    if loaded.hop:
        return index * loaded.hop + loaded.reach
    return (index + 1) * n_samples // n_frames


@functools.lru_cache(maxsize=4)
def _load(model: str, layer: int | str, precision: str, trust_remote_code: bool) -> _Loaded:
    """The model, ready to hear; the layers above the chosen one are left out where that is safe."""
    network, extractor = _open(model, trust_remote_code=trust_remote_code)
    n_layers = getattr(network.config, "num_hidden_layers", None)
    if n_layers is None or not hasattr(extractor, "sampling_rate"):
        raise ValueError(f"{model} must be an audio model with hidden layers, got another kind")
    if isinstance(layer, int):
        if not 0 <= layer <= n_layers:
            raise ValueError(f'layer must be 0 to {n_layers} for {model}, or "mean", got {layer}')
        _leave_out_layers_above(network, layer, int(extractor.sampling_rate))
    if precision == "bfloat16":
        network = network.to(torch.bfloat16)
    elif precision == "int8":
        with warnings.catch_warnings():  # its successor is a package of its own
            warnings.simplefilter("ignore")
            quantize: Any = torch.ao.quantization.quantize_dynamic
            network = quantize(network, {torch.nn.Linear})
    kernels = getattr(network.config, "conv_kernel", None)
    strides = getattr(network.config, "conv_stride", None)
    hop, reach = _hop_and_reach(kernels, strides) if kernels and strides else (0, 0)
    return _Loaded(network, extractor, int(extractor.sampling_rate), hop, reach)


def _open(model: str, *, trust_remote_code: bool) -> tuple[Any, Any]:
    from transformers import AutoFeatureExtractor, AutoModel

    _check_folder(model, trust_remote_code=trust_remote_code)
    try:
        extractor = AutoFeatureExtractor.from_pretrained(  # type: ignore[no-untyped-call]
            model, trust_remote_code=trust_remote_code
        )
        network, told = AutoModel.from_pretrained(
            model,
            trust_remote_code=trust_remote_code,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ValueError(
            f"{model} must be an audio model of transformers with a preprocessor_config.json, here "
            f"or on the hub, but loading it failed: {str(error).strip().splitlines()[0]}"
        ) from error
    absent = sorted(set(told["missing_keys"]) - OPTIONAL_WEIGHTS)
    if absent:
        raise ValueError(
            f"{model} must hold all weights of its {network.config.model_type} model, but "
            f"{len(absent)} are missing ({absent[0]}); take a complete model"
        )
    return network.eval(), extractor


def _check_folder(model: str, *, trust_remote_code: bool) -> None:
    """What can be said about a local folder before transformers opens it."""
    folder = Path(model)
    if not folder.is_dir():
        return
    if not list(folder.glob("*.safetensors")):
        pickled = " (pickled weights are not read, as they can run code)"
        raise ValueError(
            f"{folder} must hold weights as safetensors, got none"
            f"{pickled if list(folder.glob('*.bin')) else ''}; save the model there with "
            "save_pretrained, or name another"
        )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder} must hold a config.json that can be read, and does not ({error}); save the "
            "model there with save_pretrained"
        ) from error
    if "auto_map" in config and not trust_remote_code:
        raise ValueError(
            f"{folder} brings Python code of its own, which is not run unasked: read its files "
            "and set trust_remote_code, or name a model that transformers knows"
        )


def _leave_out_layers_above(network: Any, layer: int, rate: int) -> None:  # noqa: ANN401  any model
    """Drop layers that the chosen one does not need, if a sound then gives the same numbers."""
    layers = getattr(getattr(network, "encoder", None), "layers", None)
    if not isinstance(layers, torch.nn.ModuleList) or not 1 <= layer < len(layers):
        return
    noise = torch.randn(1, rate // 2, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = network(noise, output_hidden_states=True).hidden_states[layer]
        network.encoder.layers = layers[:layer]
        part = network(noise, output_hidden_states=True).hidden_states[layer]
    if part.shape != whole.shape or not torch.allclose(part, whole, atol=1e-5):
        network.encoder.layers = layers  # a norm after the last layer: all of them are needed


def _hop_and_reach(kernels: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Samples between frames of a stack of convolutions, and samples that one frame covers."""
    hop, reach = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        reach += (kernel - 1) * hop
        hop *= stride
    return hop, reach
