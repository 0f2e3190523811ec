"""The decision transformer: labels heard and own past in, labels of the next H windows out.

A causal transformer with sliding-window attention and rotary positions (Su et al. 2021). Position
t holds what was heard in window t, and, for a shift s, what we played in window t + s − 1; from its
hidden state H linear heads predict the answer of windows t + s … t + s + H − 1. The shift is 1
(online rule), or an input. Silence is no label: a head of its own decides it, and another foresees
level and onset of the answer. What counting expects after the label heard and after the own label
enters the logits as two tables that are not trained: the network learns what counting cannot know.
How far it trusts itself it says by a gate between its own expectation and that of the tables alone,
a mixture of two experts (Jacobs et al. 1991): where the music is unlike what it learned from,
counting errs less, and it loses little. In training it answers for its own expectation as well, or
a gate that leaves all to counting before the network has learned anything would stay so.
Positions enter only as differences and attention reaches `context` windows back, so a performance
may be of any length. This is the network as trained; `models.live_transformer` reads it on stage.

Shape letters: B sequences, T windows, C width, N attention heads, D = C / N, H horizon, K labels.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.alphabet import SILENCE
from models.transformer_config import (
    FIELD_LIMIT,
    GATE_BIAS,
    HISTORY_DIM,
    N_SHIFTS,
    NORM_EPSILON,
    TransformerConfig,
    history_size,
    rotary_table,
    weight_shapes,
)


class Answer(NamedTuple):
    """What the network expects of the next H windows.

    Args:
        labels: logits (B, T, H, K), given that one plays.
        silence: logits (B, T, H).
        activity: level and onset of the answer, standardised, (B, T, H, 2); None without such a
            head.
        alone: as `labels`, the network's own expectation before that of counting is mixed in.
    """

    labels: Tensor
    silence: Tensor
    activity: Tensor | None
    alone: Tensor


class Block(nn.Module):
    """Attention, then an MLP, each added to the stream after a norm (pre-norm)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.n_heads, self.dropout = config.n_heads, config.dropout
        self.attention_norm = nn.RMSNorm(width, eps=NORM_EPSILON)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.mlp_norm = nn.RMSNorm(width, eps=NORM_EPSILON)
        self.mlp_in = nn.Linear(width, 4 * width, bias=False)
        self.mlp_out = nn.Linear(4 * width, width, bias=False)

    def project(self, stream: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries and keys, and values, each (B, N, T, D)."""
        b, t, c = stream.shape
        projected = self.query_key_value(self.attention_norm(stream))
        q, k, v = projected.view(b, t, 3, self.n_heads, c // self.n_heads).permute(2, 0, 3, 1, 4)
        return rotate(q, cos, sin), rotate(k, cos, sin), v

    def finish(self, stream: Tensor, heads: Tensor, generator: torch.Generator | None) -> Tensor:
        """Add the attention's answer `heads` (B, N, T, D) and the MLP's to the stream (B, T, C)."""
        attended = self.attention_out(heads.transpose(1, 2).reshape(stream.shape))
        stream = stream + drop(attended, self.dropout, generator)
        inner = functional.relu(self.mlp_in(self.mlp_norm(stream))).square()  # So et al. 2021
        return stream + drop(self.mlp_out(inner), self.dropout, generator)


def drop(values: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Dropout (Srivastava et al. 2014) from a given generator; none without a generator."""
    if generator is None or rate == 0.0:
        return values
    keep = torch.rand(values.shape, generator=generator, device=values.device) >= rate
    return values * keep / (1.0 - rate)


def rotate(values: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions: turn the two halves of each head (…, T, D) by angles (T, D/2)."""
    first, second = values.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


def rotary_angles(first: int, count: int, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of positions first … first + count − 1, each (count, head_dim / 2)."""
    cos, sin = rotary_table(first, count, head_dim)
    return torch.from_numpy(cos), torch.from_numpy(sin)


class DecisionTransformer(nn.Module):
    """The network; see the module for what goes in and out.

    Args:
        config: size.
        n_labels: K, ≥ 1.
        horizon: H, ≥ 1.
    """

    field_mean: Tensor
    field_scale: Tensor
    answer_mean: Tensor
    answer_scale: Tensor
    codes: Tensor
    heard_table: Tensor
    own_table: Tensor

    def __init__(self, config: TransformerConfig, n_labels: int, horizon: int) -> None:
        super().__init__()
        self.config, self.n_labels, self.horizon = config, n_labels, horizon
        self.heard_embedding = nn.Embedding(n_labels + 1, config.width)
        self.own_embedding = nn.Embedding(n_labels + 2, config.width)
        self.register_buffer("field_mean", torch.tensor([-40.0, 0.0]))
        self.register_buffer("field_scale", torch.tensor([20.0, 1.0]))
        self.field_projection = nn.Linear(2, config.width, bias=False)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layers)])
        self.final_norm = nn.RMSNorm(config.width, eps=NORM_EPSILON)
        self.label_heads = nn.Linear(config.width, horizon * n_labels)
        self.silence_heads = nn.Linear(config.width, horizon)
        if config.shift_input:
            self.shift_embedding = nn.Embedding(N_SHIFTS, config.width)
        if config.history_windows:
            self.register_buffer("codes", torch.zeros(n_labels, HISTORY_DIM))
            self.code_heads = nn.Linear(config.width, horizon * HISTORY_DIM)
            self.history_projection = nn.Linear(history_size(config), config.width, bias=False)
        if config.counted:
            for name in ("heard_table", "own_table"):
                shape = weight_shapes(config, n_labels, horizon)[name]
                self.register_buffer(name, torch.zeros(shape))
            self.gate_heads = nn.Linear(config.width, horizon)
        if config.activity:
            self.activity_heads = nn.Linear(config.width, 2 * horizon)
            self.register_buffer("answer_mean", torch.tensor([-40.0, 0.0]))
            self.register_buffer("answer_scale", torch.tensor([20.0, 1.0]))

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.field_mean.device

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights: normal with deviation 0.02, outputs into the stream scaled down."""
        residual_scale = (2 * self.config.n_layers) ** -0.5
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name.endswith("norm.weight"):
                    weight.fill_(1.0)
                elif name.endswith("bias"):
                    weight.fill_(GATE_BIAS if name.startswith("gate") else 0.0)
                else:
                    weight.normal_(0.0, 0.02, generator=generator)
                    if "_out." in name:
                        weight.mul_(residual_scale)

    def embed(
        self, heard: Tensor, own: Tensor, fields: Tensor, shift: Tensor | None = None
    ) -> Tensor:
        """The stream (B, T, C) that enters the first block.

        Args:
            heard: (B, T) int64, labels or SILENCE.
            own: (B, T) int64, labels, SILENCE or HIDDEN, of the window before the predicted one.
            fields: (B, T, 2 + history) float32: energy in dB, onset strength, and the
                `models.heard_history` if the network is told one.
            shift: (B,) int64, 0..2; None is 1. A network without this input passes over it.
        """
        heard = torch.where(heard == SILENCE, self.n_labels, heard)
        own = torch.where(own < 0, self.n_labels - 1 - own, own)  # SILENCE: K, HIDDEN: K + 1
        level = (fields[..., :2] - self.field_mean) / self.field_scale
        level = torch.nan_to_num(level, nan=0.0).clamp(-FIELD_LIMIT, FIELD_LIMIT)
        embedded = self.heard_embedding(heard) + self.own_embedding(own)
        embedded = embedded + self.field_projection(level)
        if self.config.history_windows:
            embedded = embedded + self.history_projection(fields[..., 2:])
        if self.config.shift_input:
            told = heard.new_ones(heard.shape[0]) if shift is None else shift
            embedded = embedded + self.shift_embedding(told)[:, None]
        return embedded

    def counted(self, heard: Tensor, own: Tensor, shift: Tensor | None = None) -> Tensor:
        """What the tables expect, label logits (B, T, H, K).

        Args:
            heard: as in `embed`.
            own: as in `embed`.
            shift: as in `embed`.
        """
        rows = torch.where(heard == SILENCE, self.n_labels, heard)
        told = heard.new_ones(heard.shape[0]) if shift is None else shift
        lags = told[:, None, None] + torch.arange(self.horizon, device=heard.device)
        expected = self.heard_table[rows[..., None], lags]
        return expected + self.own_table[torch.where(own < 0, self.n_labels - 1 - own, own)]

    def answer(
        self, stream: Tensor, heard: Tensor, own: Tensor, shift: Tensor | None = None
    ) -> "Answer":
        """What is expected of the next H windows.

        Args:
            stream: (B, T, C), as the last block leaves it.
            heard: as in `embed`.
            own: as in `embed`.
            shift: as in `embed`.
        """
        stream = self.final_norm(stream)
        labels = self.label_heads(stream)
        ahead = (*labels.shape[:-1], self.horizon)
        labels = labels.view(*ahead, self.n_labels)
        if self.config.history_windows:  # alike for labels whose centres are alike
            labels = labels + self.code_heads(stream).view(*ahead, HISTORY_DIM) @ self.codes.T
        alone = labels
        if self.config.counted:
            expected, gate = self.counted(heard, own, shift), self.gate_heads(stream)[..., None]
            alone = (labels + expected).log_softmax(-1)
            labels = torch.logaddexp(
                alone + functional.logsigmoid(-gate),
                expected.log_softmax(-1) + functional.logsigmoid(gate),
            )
        activity = None
        if self.config.activity:
            activity = self.activity_heads(stream).view(*ahead, 2)
        return Answer(labels, self.silence_heads(stream), activity, alone)

    def forward(
        self,
        heard: Tensor,
        own: Tensor,
        fields: Tensor,
        generator: torch.Generator | None = None,
        shift: Tensor | None = None,
    ) -> "Answer":
        """Read whole sequences from their first window; answers as in `answer`.

        Args:
            heard: as in `embed`.
            own: as in `embed`.
            fields: as in `embed`.
            generator: source of dropout; None reads without dropout.
            shift: as in `embed`.
        """
        stream = drop(self.embed(heard, own, fields, shift), self.config.dropout, generator)
        steps = torch.arange(heard.shape[1], device=self.device)
        ago = steps[:, None] - steps[None, :]
        visible = (ago >= 0) & (ago < self.config.context)
        head_dim = self.config.width // self.config.n_heads
        cos, sin = (one.to(self.device) for one in rotary_angles(0, heard.shape[1], head_dim))
        for block in cast("list[Block]", self.blocks):
            q, k, v = block.project(stream, cos, sin)
            answer = functional.scaled_dot_product_attention(q, k, v, attn_mask=visible)
            stream = block.finish(stream, answer, generator)
        return self.answer(stream, heard, own, shift)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """All weights by name, for storing."""
        return {name: t.detach().cpu().numpy().copy() for name, t in self.state_dict().items()}

    def load_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over stored weights.

        Raises:
            ValueError: names or shapes do not fit this network.
        """
        tensors = {n: torch.from_numpy(np.array(a, dtype=np.float32)) for n, a in arrays.items()}
        try:
            self.load_state_dict(tensors)
        except RuntimeError as error:
            raise ValueError(
                f"weights must fit the network of the config, and do not: {error}"
            ) from error
