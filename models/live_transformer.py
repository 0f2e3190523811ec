"""The decision transformer on stage: one window at a time through a key/value cache, in numpy.

The same function as `models.decision_transformer`, to rounding (a test holds the two together).
One position is far too little work for a tensor library: plain arrays take a third of the time, and
the decision process need not load torch at all.

Shape letters: R readings (2: with own past, and with own past hidden), C width, N attention
heads, D = C / N, W windows in the cache, H horizon, K labels.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.decision_model import HIDDEN, OWN_PAST_WEIGHT, Prediction
from models.heard_history import HeardHistory
from models.transformer_config import (
    FIELD_LIMIT,
    NORM_EPSILON,
    TransformerConfig,
    rotary_table,
    weight_shapes,
)

Array = NDArray[np.float32]
_READINGS: Final = 2


class LiveTransformer:
    """A decision transformer that follows a performance.

    Both readings run as a batch of two. One window costs one position of each, whatever came
    before; nothing grows.

    Args:
        config: size.
        n_labels: K.
        horizon: H.
        arrays: the weights, as listed by `weight_shapes`.

    Raises:
        ValueError: an array is missing or of another shape.
    """

    def __init__(
        self,
        config: TransformerConfig,
        n_labels: int,
        horizon: int,
        arrays: Mapping[str, NDArray[np.generic]],
    ) -> None:
        check_weights(config, n_labels, horizon, arrays)
        w = {name: np.ascontiguousarray(a, dtype=np.float32) for name, a in arrays.items()}
        self._config, self._n_labels, self._horizon = config, n_labels, horizon
        self._heard, self._own = w["heard_embedding.weight"], w["own_embedding.weight"]
        self._field_mean, self._field_scale = w["field_mean"], w["field_scale"]
        self._field_projection = w["field_projection.weight"].T.copy()
        head_dim = config.width // config.n_heads
        self._layers = [_layer_weights(w, f"blocks.{i}.", head_dim) for i in range(config.n_layers)]
        final = w["final_norm.weight"]
        names = ["label_heads", "silence_heads"] + ["activity_heads"] * config.activity
        names += ["gate_heads"] * config.counted
        if config.history_windows:  # read the labels' codes into the label heads, once
            w = w | _with_codes(w, horizon)
        heads = np.concatenate([w[f"{name}.weight"] for name in names])
        self._heads = (heads * final).T.copy()  # (C, H·K + H, 2·H of activity, H of the gate)
        self._head_bias = np.concatenate([w[f"{name}.bias"] for name in names])
        self._answer_mean, self._answer_scale = w.get("answer_mean"), w.get("answer_scale")
        self._history: HeardHistory | None = None
        if config.history_windows:
            self._history = HeardHistory(
                w["codes"], config.history_windows, config.analogue_windows
            )
            self._history_projection = w["history_projection.weight"].T.copy()
        self._tables: tuple[Array, Array] | None = None
        if config.counted:  # of shift 1
            heard_table = w["heard_table"][:, 1 : 1 + horizon].reshape(n_labels + 1, -1)
            self._tables = heard_table, w["own_table"].reshape(n_labels + 2, -1)
        if config.shift_input:  # the online rule: told once, with every label heard
            self._heard = self._heard + w["shift_embedding.weight"][1]
        shape = (config.n_layers, _READINGS, config.n_heads, config.context, head_dim)
        self._keys, self._values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.reset()

    @property
    def n_labels(self) -> int:
        """K, the size of the alphabet."""
        return self._n_labels

    @property
    def horizon(self) -> int:
        """H, how many windows ahead it predicts."""
        return self._horizon

    def reset(self) -> None:
        """Forget everything observed; a prediction then rests on one window of silence."""
        self._position = 0
        if self._history is not None:
            self._history.reset()
        self._logits: Array | None = None  # (R, H·K + H, …) after the last window

    def observe(self, heard: int, own: int, energy_db: float, onset: float) -> None:
        """Take in the window that has just ended: one step through the cache."""
        stream = self._embed(heard, own, energy_db, onset)
        config = self._config
        head_dim = config.width // config.n_heads
        cos, sin = rotary_table(self._position, 1, head_dim)
        slot, filled = self._position % config.context, min(self._position + 1, config.context)
        for layer, (qkv, out, mlp_in, mlp_out) in enumerate(self._layers):
            projected = (_normalise(stream) @ qkv).reshape(_READINGS, 3, config.n_heads, head_dim)
            turned = _rotate(projected[:, :2], cos, sin)  # queries (scaled) and keys
            keys, values = self._keys[layer], self._values[layer]  # (R, N, W, D)
            keys[:, :, slot], values[:, :, slot] = turned[:, 1], projected[:, 2]
            scores = np.matmul(keys[:, :, :filled], turned[:, 0, :, :, None])  # (R, N, W, 1)
            weights = np.exp(scores - scores.max(axis=2, keepdims=True))
            weights /= weights.sum(axis=2, keepdims=True)
            answer = np.matmul(weights.swapaxes(2, 3), values[:, :, :filled])  # (R, N, 1, D)
            stream = stream + answer.reshape(stream.shape) @ out
            inner = np.maximum(_normalise(stream) @ mlp_in, 0.0)
            stream = stream + (inner * inner) @ mlp_out
        self._logits = _normalise(stream) @ self._heads + self._head_bias
        if self._tables is not None:
            heard_table, own_table = self._tables
            expected = heard_table[self._heard_row(heard)] + own_table[self._own_rows(own)]
            self._mix(expected.reshape(_READINGS, self._horizon, self._n_labels))
        self._position += 1

    def _mix(self, expected: Array) -> None:
        """Put the mixture with what counting expects, (R, H, K), in the place of the labels."""
        assert self._logits is not None
        n = self._horizon * self._n_labels
        own = self._logits[:, :n].reshape(expected.shape) + expected
        gate = self._logits[:, -self._horizon :, None]
        mixed = np.logaddexp(
            _log_softmax(own) - np.logaddexp(0.0, gate),
            _log_softmax(expected) - np.logaddexp(0.0, -gate),
        )
        self._logits[:, :n] = mixed.reshape(_READINGS, n)

    def predict(self, own_past_weight: float = OWN_PAST_WEIGHT) -> Prediction:
        """Predict the next H windows, the two readings mixed as the protocol says.

        Labels are mixed as log-probabilities and renormalised, silence as log-odds, activity as it
        is.
        """
        if self._logits is None:
            self.observe(SILENCE, HIDDEN, -np.inf, 0.0)
            prediction = self.predict(own_past_weight)
            self.reset()
            return prediction
        n_label_logits = self._horizon * self._n_labels
        labels = self._logits[:, :n_label_logits].reshape(_READINGS, self._horizon, -1)
        mix = np.array([own_past_weight, 1.0 - own_past_weight], dtype=np.float32)
        mixed = _log_softmax(np.tensordot(mix, _log_softmax(labels), axes=1))
        heads = self._logits[:, n_label_logits:]
        rest = mix @ heads
        silence, silence_heard = _sigmoid(np.stack([rest, heads[1]])[:, : self._horizon])
        activity = None
        if self._answer_mean is not None and self._answer_scale is not None:
            standard = rest[self._horizon : 3 * self._horizon].reshape(self._horizon, 2)
            activity = standard * self._answer_scale + self._answer_mean
        return Prediction(mixed, silence, activity, silence_heard)

    def _embed(self, heard: int, own: int, energy_db: float, onset: float) -> Array:
        """The stream (R, C) that enters the first layer."""
        level = (np.array([energy_db, onset], np.float32) - self._field_mean) / self._field_scale
        level = np.clip(np.nan_to_num(level, nan=0.0), -FIELD_LIMIT, FIELD_LIMIT)
        own_rows = self._own[self._own_rows(own)]
        embedded: Array = (
            self._heard[self._heard_row(heard)] + own_rows + level @ self._field_projection
        )
        if self._history is not None:
            embedded = embedded + self._history.hear(heard) @ self._history_projection
        return embedded

    def _heard_row(self, heard: int) -> int:
        return heard if heard != SILENCE else self._n_labels

    def _own_rows(self, own: int) -> list[int]:
        """Row of the own label in each reading: as it is, and hidden."""
        return [own if own >= 0 else self._n_labels - 1 - own, self._n_labels - 1 - HIDDEN]


def check_weights(
    config: TransformerConfig,
    n_labels: int,
    horizon: int,
    arrays: Mapping[str, NDArray[np.generic]],
) -> None:
    """Refuse arrays that are not the weights of this network.

    Raises:
        ValueError: an array is missing, foreign, of another shape, or not finite.
    """
    shapes = weight_shapes(config, n_labels, horizon)
    for name in sorted(shapes.keys() | arrays.keys()):
        if name not in arrays:
            raise ValueError(f"the weights must hold {name!r}, which is missing")
        if name not in shapes:
            raise ValueError(f"the weights hold {name!r}, which this network does not have")
        if arrays[name].shape != shapes[name]:
            raise ValueError(f"{name!r} must have shape {shapes[name]}, got {arrays[name].shape}")
        if not np.isfinite(np.asarray(arrays[name], dtype=np.float32)).all():
            raise ValueError(f"{name!r} must be finite, and is not")


def _with_codes(w: Mapping[str, Array], horizon: int) -> dict[str, Array]:
    """Label heads that do what they and the heads of the codes do together."""
    codes = w["codes"]
    weight = w["code_heads.weight"].reshape(horizon, codes.shape[1], -1)
    bias = w["code_heads.bias"].reshape(horizon, codes.shape[1])
    through = np.einsum("kp,hpc->hkc", codes, weight).reshape(horizon * len(codes), -1)
    return {
        "label_heads.weight": w["label_heads.weight"] + through,
        "label_heads.bias": w["label_heads.bias"] + (bias @ codes.T).ravel(),
    }


def _layer_weights(
    w: Mapping[str, Array], prefix: str, head_dim: int
) -> tuple[Array, Array, Array, Array]:
    """Matrices of one layer, transposed; norms and the attention scale are folded into them."""
    qkv = (w[prefix + "query_key_value.weight"] * w[prefix + "attention_norm.weight"]).T.copy()
    qkv[:, : len(qkv)] *= head_dim**-0.5  # the queries
    mlp_in = w[prefix + "mlp_in.weight"] * w[prefix + "mlp_norm.weight"]
    return (
        qkv,
        w[prefix + "attention_out.weight"].T.copy(),
        mlp_in.T.copy(),
        w[prefix + "mlp_out.weight"].T.copy(),
    )


def _normalise(stream: Array) -> Array:
    """Root mean square 1 for each row (Zhang and Sennrich 2019, Eq. 4, without gain)."""
    mean_square = np.einsum("rc,rc->r", stream, stream) / stream.shape[1]
    normalised: Array = stream / np.sqrt(mean_square + NORM_EPSILON)[:, None]
    return normalised


def _rotate(values: Array, cos: Array, sin: Array) -> Array:
    """Turn the two halves of each head (…, D) by the angles (1, D/2) of one position."""
    half = values.shape[-1] // 2
    first, second = values[..., :half], values[..., half:]
    return np.concatenate((first * cos - second * sin, first * sin + second * cos), axis=-1)


def _sigmoid(logits: Array) -> Array:
    """Probabilities of logits, float32."""
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60)))).astype(np.float32)


def _log_softmax(logits: Array) -> Array:
    """Logarithms of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
