"""What a training is asked to do: defaults, then a YAML file, then the command line."""

from pathlib import Path
from typing import Annotated, Any, Self

import torch
import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from models.ear import EarConfig
from models.key import KeyConfig
from models.training import TrainingConfig
from models.transformer_config import TransformerConfig


class SettingsError(ValueError):
    """Settings that cannot be used; the message is one sentence for the user."""


class TrainSettings(BaseModel, frozen=True, extra="forbid"):
    """One training, in seconds where a user thinks in seconds."""

    window_seconds: float = Field(default=0.25, ge=0.05, le=2, description="Δ, seconds.")
    windows_per_beat: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="Corpora only: windows of the beat in the place of `window_seconds`.",
    )
    alphabet: int = Field(default=64, ge=2, le=1024, description="K wished for.")
    sample_rate: int = Field(default=44100, ge=8000, le=192000, description="Hz.")
    horizon: int = Field(default=4, ge=1, le=64, description="H, windows predicted.")
    both_directions: bool = Field(default=True, description="Every track answers every other.")
    context_seconds: float = Field(default=15.0, gt=0, le=120, description="Reach of attention.")
    sequence_seconds: float = Field(default=30.0, gt=0, le=240, description="Training crop.")
    n_layers: int = Field(default=4, ge=1, le=24, description="Blocks.")
    n_heads: int = Field(default=4, ge=1, le=32, description="Attention heads.")
    width: int = Field(default=128, ge=4, le=1024, description="Features per position.")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Share dropped in training.")
    max_steps: int = Field(default=600, ge=1, description="Steps at most.")
    batch_size: int = Field(default=16, ge=1, le=1024, description="Crops in a step.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Peak.")
    evaluate_every: int = Field(default=25, ge=1, description="Steps between validations.")
    patience: int = Field(default=6, ge=1, description="Validations without a gain.")
    bfloat16: bool | None = Field(
        default=None, description="Mixed precision; none: where there is a GPU."
    )
    keep_last: bool = Field(default=False, description="The last weights, not the best.")
    minutes_limit: float = Field(default=3.0, gt=0, description="Of the training loop, minutes.")
    seed: int = Field(default=0, ge=0, lt=2**32, description="Of everything drawn.")
    ear: EarConfig = Field(default_factory=EarConfig, description="How windows are heard.")
    key_normalised: bool = Field(
        default=True, description="Corpora only: labels are turned by the guide's running key."
    )
    key: KeyConfig = Field(default_factory=KeyConfig, description="How that key follows.")
    shift_input: bool = Field(default=True, description="The network is told the shift, 0 to 2.")
    counted: bool = Field(default=True, description="It starts from what counting expects.")
    history_seconds: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(2.0, 8.0, 40.0), description="Memories of running means of what was heard."
    )
    analogue_seconds: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(1.0, 3.0), description="What led up to moments that it is told the sequel of."
    )
    activity: bool = Field(default=True, description="It foresees level and onset as well.")

    @model_validator(mode="after")
    def _fine_windows_can_be_pooled(self) -> Self:
        ear = self.ear
        if self.windows_per_beat and (ear.encoder == "pretrained" or ear.condenser != "mean"):
            raise ValueError(
                "windows_per_beat needs an ear that is quick enough for windows of 0.05 s and the "
                "mean of them: descriptors or learned, condenser mean"
            )
        return self

    def transformer(self) -> TransformerConfig:
        """The size of the network, the context in windows."""
        return TransformerConfig(
            n_layers=self.n_layers,
            n_heads=self.n_heads,
            width=self.width,
            dropout=self.dropout,
            context=max(1, round(self.context_seconds / self.window_seconds)),
            shift_input=self.shift_input,
            counted=self.counted,
            history_windows=tuple(s / self.window_seconds for s in self.history_seconds),
            analogue_windows=tuple(s / self.window_seconds for s in self.analogue_seconds),
            activity=self.activity,
        )

    def training(self) -> TrainingConfig:
        """How it is trained, crops in windows."""
        return TrainingConfig(
            max_steps=self.max_steps,
            batch_size=self.batch_size,
            sequence_windows=max(
                self.horizon + 1, round(self.sequence_seconds / self.window_seconds)
            ),
            learning_rate=self.learning_rate,
            evaluate_every=self.evaluate_every,
            patience=self.patience,
            bfloat16=torch.cuda.is_available() if self.bfloat16 is None else self.bfloat16,
            keep_last=self.keep_last,
            seed=self.seed,
        )


def read_settings(config: Path | None, overrides: dict[str, Any]) -> TrainSettings:
    """Defaults, overridden by a YAML file, overridden by what was given on the command line.

    Args:
        config: YAML file, or None.
        overrides: values that are not None win.

    Raises:
        SettingsError: no such file, not YAML, an unknown key, a wrong type or a value out of range.
    """
    values: Any = {}
    if config is not None:
        try:
            values = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise SettingsError(f"{config} must be readable YAML, and is not: {reason}") from error
        if not isinstance(values, dict):
            raise SettingsError(f"{config} must hold keys and values, got {type(values).__name__}")
    values |= {key: value for key, value in overrides.items() if value is not None}
    try:
        settings = TrainSettings.model_validate(values)
        settings.transformer()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "the settings"
        got = f", got {first['input']!r}" if first["loc"] else ""
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}{got}") from error
    return settings
