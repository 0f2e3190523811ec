"""How the memory is walked: what a segment must offer to be jumped to."""

from pydantic import BaseModel, Field

from agents.action.suffix_array import DEPTH


class NavigationConfig(BaseModel, frozen=True, extra="forbid"):
    """How the memory is walked."""

    taboo: int = Field(16, ge=0, le=256)
    """Segments that sounded within so many windows are not jumped to, if others are there."""
    max_continuity: int = Field(64, ge=1, le=1024)
    """After so many windows of one passage another is sought."""
    continuity_bonus: int = Field(2, ge=0, le=DEPTH)
    """A jump must match so many labels more than the memory's next segment."""
    context_bonus: int = Field(1, ge=0, le=DEPTH)
    """A place that shares the past may match so many labels fewer than the best jump."""
    min_context: int = Field(2, ge=1, le=DEPTH)
    """A place shares the past if so many labels before it are the same."""
    context_candidates: int = Field(8, ge=0, le=256)
    """Places found by suffix links that are looked at, per choice."""
    activity_weight: float = Field(0.5, ge=0, le=10)
    """What onset strength and level count beside the times of attacks, among equals."""
    attack_weight: float = Field(3.0, ge=0, le=30)
    """Of the mean log-likelihood of a window's attacks beside its labels, where it is foreseen."""
    attack_sharpness: float = Field(3.0, gt=0, le=10)
    """Exponent of the odds of attacks: 1 as the forecast says, more is surer."""
    budget_seconds: float = Field(0.02, gt=0, le=1)
    """Time for one call, seconds; then the best found so far is the answer."""
