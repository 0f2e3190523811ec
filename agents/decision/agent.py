"""The decision agent: labels heard in, a plan of the next H windows out, refreshed each window.

At T_k the newest label heard is that of window k − 1; the plan starts with window k. What the agent
played itself in a window is what its own newest plan said about it. Whether a window is silent is
decided first, what it plays second, both with noise that belongs to (seed, window) alone, so that
a foreseen window and its fresh decision agree unless the prediction has moved.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

import numpy as np
from pydantic import BaseModel, Field

from agents.decision.attack_forecast import AttackForecast
from agents.decision.constraints import playable_mask
from agents.decision.rests import Rests, odds_of_resting
from agents.messages import (
    SILENCE,
    Activity,
    Control,
    HeardLabel,
    MemoryChanged,
    Message,
    Metric,
    Plan,
)
from agents.musical_time import Moment
from models.attack_model import AttackModel, LiveAttacks
from models.bundle import Bundle, ModelKind
from models.decision_model import HIDDEN, OWN_PAST_WEIGHT, DecisionModel, Prediction
from models.sampling import NOTHING_PLAYABLE, draw_label, gumbel_noise

_LONGEST_GAP: Final = 64  # windows; after a longer pause in what was heard, start afresh
_QUIET_DB: Final = -120.0  # level of a window that was never heard
_MODEL_FAULTS: Final = (RuntimeError, ValueError, ArithmeticError, IndexError)


class DecisionConfig(BaseModel, frozen=True, extra="forbid"):
    """How the decision agent chooses."""

    kind: ModelKind = Field(default="transformer", description='Model: "transformer", "counts".')
    horizon: int = Field(default=4, ge=1, le=64, description="H, windows in a plan.")
    top_p: float = Field(default=0.8, gt=0, le=1, description="Nucleus mass.")
    own_past_weight: float = Field(
        default=OWN_PAST_WEIGHT, ge=0, le=1, description="w: 0 flickers, 1 sticks."
    )
    phrase_seconds: float = Field(
        default=8.0,
        gt=0,
        le=120,
        description="Time that shares one draw of silence: rests and phrases, no flicker.",
    )
    entry_seconds: float = Field(
        default=4.0,
        ge=0,
        le=120,
        description="After the guide's first sound, in which one plays whatever was drawn.",
    )
    rest_sharpness: float = Field(
        default=2.0,
        gt=0,
        le=100,
        description="Exponent of the odds of resting: 1 as the model says, more is surer.",
    )
    rests_follow_own_past: bool = Field(
        default=False,
        description="Rests hang on what one did before as well, not on what is heard alone.",
    )
    silence_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Silent from this probability on; none: drawn with that probability.",
    )
    seed: int = Field(default=0, ge=0, description="Of all draws.")


class DecisionAgent:
    """Decides what to play next.

    Args:
        model: predicts; its own from now on.
        config: how to choose.
        playable: class ids that the memory holds, for each rotation that labels may be in.
        fallback: predicts when the model fails; its own from now on.
        window_seconds: Δ, > 0.
        rest_odds: by which factor this part rests more often than those learned from, > 0.
        attacks: foresees attacks as learned; None leaves them to the guide's own period.

    Raises:
        ValueError: models of different size, too short a horizon, no rotation, or a foreign class
            id.
    """

    def __init__(
        self,
        model: DecisionModel,
        config: DecisionConfig,
        playable: Sequence[Collection[int]],
        fallback: DecisionModel,
        *,
        window_seconds: float = 0.25,
        rest_odds: float = 1.0,
        attacks: AttackModel | None = None,
    ) -> None:
        if fallback.n_labels != model.n_labels:
            raise ValueError(
                f"model and fallback must share an alphabet, got {model.n_labels} and "
                f"{fallback.n_labels} labels; take both from one bundle"
            )
        reach = min(model.horizon, fallback.horizon)
        if config.horizon > reach:
            raise ValueError(
                f"decision.horizon must be at most {reach}, as the bundle was trained, got "
                f"{config.horizon}; lower it or train with a longer horizon"
            )
        if not playable:
            raise ValueError(
                "playable must hold the memory's class ids for at least one rotation, got none"
            )
        self._attacks = AttackForecast()
        self._learned_attacks = None if attacks is None else LiveAttacks(attacks)
        self._rests = Rests(
            max(1, round(config.phrase_seconds / window_seconds)),
            round(config.entry_seconds / window_seconds),
            config.rest_sharpness,
            rest_odds,
            config.seed,
        )
        self._model, self._fallback, self._config = model, fallback, config
        self._masks = [playable_mask(labels, model.n_labels) for labels in playable]
        self._forget()

    def step(self, moment: Moment, inbox: Sequence[Message]) -> list[Message]:
        """Take in all labels heard, and plan once, for the windows after the newest.

        Labels of windows already known are passed over; windows never heard count as silence.
        Also answers controls `decision.own_past_weight` and `decision.top_p`.
        """
        answers: list[Message] = []
        newest_before = self._newest
        for message in inbox:
            if isinstance(message, Control):
                answers += self._control(message, moment.window)
            elif isinstance(message, MemoryChanged):
                self._follow_memory(message)
            elif isinstance(message, HeardLabel):
                answers += self._take_in(message)
        if self._newest != newest_before:
            answers += self._plan()
        return answers

    def restore(self, history: Sequence[Message]) -> None:
        """Hear again what was heard, and remember what was planned; plans nothing."""
        self._forget()
        windows = [message.window for message in history if isinstance(message, HeardLabel)]
        self._rests.take_up(min(windows, default=0))
        for message in history:
            if isinstance(message, Plan):
                self._remember(message)
            elif isinstance(message, HeardLabel):
                self._take_in(message)
            elif isinstance(message, Control):
                self._control(message, message.window)
            elif isinstance(message, MemoryChanged):
                self._follow_memory(message)

    def _forget(self) -> None:
        """The state before anything was heard."""
        self._model.reset()
        self._fallback.reset()
        self._reset_attacks()
        self._rests.reset()
        self._newest: int | None = None  # last window observed
        self._rotation = 0  # of the last label
        self._failed = False  # since the last plan
        self._own: dict[int, int] = {}  # label planned for each window not yet observed
        self._top_p = self._config.top_p
        self._own_past_weight = self._config.own_past_weight

    def _take_in(self, heard: HeardLabel) -> list[Message]:
        """Observe a window, and those passed over before it."""
        window, label, rotation = heard.window, heard.label, heard.rotation
        if self._newest is not None and window <= self._newest:
            return []
        answers: list[Message] = []
        if not (
            (label == SILENCE or 0 <= label < self._model.n_labels)
            and 0 <= rotation < len(self._masks)
        ):
            rotation = self._rotation
            answers.append(Metric(window, "decision.foreign_label", float(label)))
            label = SILENCE
        missing = 0 if self._newest is None else window - self._newest - 1
        if missing > _LONGEST_GAP:
            self._model.reset()
            self._fallback.reset()
            self._reset_attacks()
            self._rests.reset()
            missing = 0
        for gap in range(window - missing, window):
            self._observe(gap, SILENCE, _QUIET_DB, 0.0)
            self._hear_attacks((0.0,) * len(heard.attacks))
        if missing:
            answers.append(Metric(window, "decision.windows_never_heard", float(missing)))
        self._observe(window, label, heard.energy_db, heard.onset)
        self._hear_attacks(heard.attacks)
        self._rests.hear(window, sounds=label != SILENCE)
        self._own = {w: own for w, own in self._own.items() if w > window}
        self._newest, self._rotation = window, rotation
        return answers

    def _reset_attacks(self) -> None:
        self._attacks.reset()
        if self._learned_attacks is not None:
            self._learned_attacks.reset()

    def _hear_attacks(self, attacks: tuple[float, ...]) -> None:
        self._attacks.hear(attacks)
        if self._learned_attacks is not None:
            self._learned_attacks.hear(attacks)

    def _observe(self, window: int, label: int, energy_db: float, onset: float) -> None:
        own = self._own.get(window, HIDDEN)
        self._fallback.observe(label, own, energy_db, onset)
        try:
            self._model.observe(label, own, energy_db, onset)
        except _MODEL_FAULTS:
            self._fail()

    def _predict(self) -> tuple[Prediction, bool]:
        """The prediction to use, and whether it is the fallback's."""
        try:
            prediction = self._model.predict(self._own_past_weight)
            if not prediction.is_finite:
                self._fail()
        except _MODEL_FAULTS:
            self._fail()
        if self._failed:
            return self._fallback.predict(self._own_past_weight), True
        return prediction, False

    def _fail(self) -> None:
        """Half a step was taken: the model's past cannot be trusted, it begins afresh."""
        self._model.reset()
        self._failed = True

    def _plan(self) -> list[Message]:
        """Decide the windows after the newest one heard."""
        assert self._newest is not None
        first = self._newest + 1
        prediction, fallen_back = self._predict()
        self._failed = False
        answers: list[Message] = []
        if fallen_back:
            answers.append(Metric(first, "decision.fallback", 1.0))
        labels, probabilities = [], []
        for ahead in range(self._config.horizon):
            label, probability = self._decide(first + ahead, prediction, ahead)
            labels.append(label)
            probabilities.append(probability)
        if not self._masks[self._rotation].any():
            answers.append(Metric(first, "decision.nothing_playable", 1.0))
        horizon, learned = self._config.horizon, self._learned_attacks
        plan = Plan(
            first,
            tuple(labels),
            tuple(probabilities),
            self._rotation,
            self._attacks.expect(horizon),
            _activity(prediction, horizon),
            learned.expect(horizon) if learned is not None else (),
        )
        self._remember(plan)
        return [plan, *answers]

    def _decide(self, window: int, prediction: Prediction, ahead: int) -> tuple[int, float]:
        """Label of one window, and the probability that the model gave this decision."""
        config, rests = self._config, prediction.silence
        if prediction.silence_heard is not None and not config.rests_follow_own_past:
            rests = prediction.silence_heard
        silence = self._rests.probability(float(rests[ahead]))
        if config.silence_threshold is None:
            silent = self._rests.silent(window, silence)
        else:
            silent = silence >= config.silence_threshold
        if silent:
            return SILENCE, silence
        log_probabilities = prediction.log_probabilities[ahead]
        noise = gumbel_noise(config.seed, window, len(log_probabilities))
        choice = draw_label(log_probabilities, self._top_p, self._masks[self._rotation], noise)
        if choice.reason == NOTHING_PLAYABLE:
            return SILENCE, silence
        return choice.label, (1.0 - silence) * choice.probability

    def _follow_memory(self, changed: MemoryChanged) -> None:
        """From now on the memory can play other labels; foreign ones are passed over."""
        n_labels = self._model.n_labels
        own = [[label for label in row if 0 <= label < n_labels] for row in changed.playable]
        if len(own) == len(self._masks):
            self._masks = [playable_mask(labels, n_labels) for labels in own]

    def _remember(self, plan: Plan) -> None:
        """What we shall have played, until a newer plan says otherwise."""
        self._own |= {plan.window + ahead: label for ahead, label in enumerate(plan.labels)}

    def _control(self, control: Control, window: int) -> list[Message]:
        """Change a parameter of ours; a value out of range is refused by a metric."""
        ranges: dict[str, Callable[[float], bool]] = {
            "decision.own_past_weight": lambda value: 0.0 <= value <= 1.0,
            "decision.top_p": lambda value: 0.0 < value <= 1.0,
        }
        if not control.name.startswith("decision."):
            return []
        value = control.value
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        allowed = ranges.get(control.name)
        if allowed is None or not is_number or not allowed(float(value)):
            return [Metric(window, "decision.control_refused", 1.0)]
        if control.name == "decision.top_p":
            self._top_p = float(value)
        else:
            self._own_past_weight = float(value)
        return []


def _activity(prediction: Prediction, horizon: int) -> tuple[Activity, ...]:
    """What is expected of each window of a plan; empty if it is not foreseen."""
    if prediction.activity is None or not np.isfinite(prediction.activity).all():
        return ()
    return tuple(Activity(float(level), float(onset)) for level, onset in prediction.activity)[
        :horizon
    ]


def build(
    config: DecisionConfig,
    bundle: Bundle,
    playable: Sequence[Collection[int]],
    rest_share: float | None = None,
    n_windows: int = 0,
) -> DecisionAgent:
    """The agent that plays from `bundle`; the count model is its fallback.

    Args:
        config: how to choose.
        bundle: what was learned.
        playable: class ids that the memory holds, for each rotation that labels may be in.
        rest_share: of the memory's windows, those that rest, in [0, 1]; None if not known.
        n_windows: of the memory, ≥ 0.

    Raises:
        ValueError: the config or the memory does not fit the bundle.
    """
    model, fallback = bundle.decision_model(config.kind), bundle.decision_model("counts")
    window_seconds, odds = bundle.card.window_seconds, 1.0
    if rest_share is not None:
        plays, rests = bundle.counts.silence[0].by_none
        learned = float(rests / max(1.0, plays + rests))
        odds = odds_of_resting(learned, rest_share, n_windows, window_seconds)
    return DecisionAgent(
        model,
        config,
        playable,
        fallback,
        window_seconds=window_seconds,
        rest_odds=odds,
        attacks=bundle.attack_model(),
    )
