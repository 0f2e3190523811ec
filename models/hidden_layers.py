"""Songs as the hidden layers of a pretrained Hugging Face audio model (MERT, HuBERT, wav2vec 2.0).

Each layer is the mean of its frames, as EvoMusic takes them; a song is cut into stretches so that
its length costs memory once. The model comes from a local folder (or a hub id), is only read, and
hears at the rate that its own feature extractor names.
"""

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
STRETCH_SECONDS: Final = 10.0
SHORTEST_SECONDS: Final = 0.5


class HiddenLayers:
    """Keeps the interface of `corpus.song_features.SongEncoder` with a model's hidden layers.

    Args:
        folder: a folder written by `save_pretrained`, with a preprocessor_config.json; or a hub id.
        trust_remote_code: run the model's own Python files. MERT's official weights bring such
            files and do not load without; only for a model whose files you have read.

    Raises:
        ValueError: no such model, not one for raw audio, or one that brings code not asked for.
    """

    def __init__(self, folder: Path | str, *, trust_remote_code: bool = False) -> None:
        from transformers import AutoFeatureExtractor, AutoModel

        try:
            extractor: Any = AutoFeatureExtractor.from_pretrained(  # type: ignore[no-untyped-call]
                folder, trust_remote_code=trust_remote_code
            )
            model: Any = AutoModel.from_pretrained(folder, trust_remote_code=trust_remote_code)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"{folder} must be a folder with an audio model and its preprocessor_config.json, "
                f"but loading it failed: {str(error).splitlines()[0]}"
            ) from error
        n_hidden = getattr(model.config, "num_hidden_layers", None)
        if n_hidden is None or not hasattr(extractor, "sampling_rate"):
            raise ValueError(f"{folder} must hold an audio model with hidden layers, got another")
        self._extractor, self._model = extractor, model.eval()
        self._name = f"{Path(folder).name}-{model.config.model_type}-{_digest(model)}"
        self._layer_names = tuple(f"layer {k}" for k in range(int(n_hidden) + 1))

    @property
    def name(self) -> str:
        """Folder, kind and a digest of the weights."""
        return self._name

    @property
    def sample_rate(self) -> int:
        """Samples per second that the model was trained at."""
        return int(self._extractor.sampling_rate)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The input of the first layer and the output of each."""
        return self._layer_names

    @torch.no_grad()
    def encode(self, samples: FloatArray) -> FloatArray:
        """Mean of the frames of every hidden layer, shape (L, D).

        Args:
            samples: mono, finite, shape (samples,), at `sample_rate`, at least half a second.

        Raises:
            ValueError: not mono, too short, or not finite.
        """
        if samples.ndim != 1 or len(samples) < SHORTEST_SECONDS * self.sample_rate:
            raise ValueError(
                f"a song must be mono and last at least {SHORTEST_SECONDS} s, "
                f"got shape {samples.shape} at {self.sample_rate} Hz"
            )
        if not np.isfinite(samples).all():
            raise ValueError("a song must be finite, got NaN or infinity; check who made it")
        stretch = round(STRETCH_SECONDS * self.sample_rate)
        n_parts = max(1, round(len(samples) / stretch))
        total: torch.Tensor | float = 0.0
        n_frames = 0
        for part in np.array_split(samples, n_parts):
            inputs = self._extractor(part, sampling_rate=self.sample_rate, return_tensors="pt")
            hidden = self._model(inputs["input_values"], output_hidden_states=True).hidden_states
            frames = torch.stack(hidden)[:, 0]  # (L, T, D)
            total = total + frames.sum(dim=1)
            n_frames += frames.shape[1]
        layers: FloatArray = (torch.as_tensor(total) / n_frames).float().numpy()
        return layers


def _digest(model: torch.nn.Module) -> str:
    """A few digits that change with the weights: fast, and enough to keep caches apart."""
    sums = [float(weight.detach().double().abs().sum()) for weight in model.parameters()]
    return hashlib.blake2b(np.array(sums).tobytes(), digest_size=4).hexdigest()
