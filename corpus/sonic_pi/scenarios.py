"""Scenarios that ranking is measured on: a context that plays, and what could be added to it.

The first six are the paper's three (s1-mel, s2-drum, s3-bass) with three and with ten candidates,
written by hand. The others add melodies, drums, basses, pads, textures or effects to contexts of
our own: *mixed* ones put ten candidates of different shapes side by side, *numeric* ones keep one
shape and its names, so that only numbers and notes differ. They were made from shapes of code
written for this purpose, none of which the ranker was ever trained on. What is heard is the context
and the candidate together.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import yaml

__all__ = ["Kind", "Role", "Scenario", "own_scenarios", "scenario_from_file"]

Role = Literal["melody", "drums", "bass", "pads", "texture", "effects"]
Kind = Literal["paper", "mixed", "numeric"]
_ROLES: Final = ("melody", "drums", "bass", "pads", "texture", "effects")
_KINDS: Final = ("paper", "mixed", "numeric")
_KEYS: Final = {"role", "kind", "prompt", "context", "candidates"}
_OWN_FOLDER: Final = Path(__file__).with_name("scenarios")


@dataclass(frozen=True)
class Scenario:
    """A context and its candidates.

    Args:
        name: of the file, without its ending.
        role: what the candidates add.
        kind: the paper's, mixed or numeric.
        prompt: what a language model would be asked.
        context: the program that plays already.
        candidates: what could follow it, at least 3, all different.
    """

    name: str
    role: Role
    kind: Kind
    prompt: str
    context: str = field(repr=False)
    candidates: tuple[str, ...] = field(repr=False)

    @property
    def programs(self) -> tuple[str, ...]:
        """What would be heard with each candidate: the context, then the candidate."""
        return tuple(f"{self.context}\n{candidate}" for candidate in self.candidates)


def scenario_from_file(path: Path) -> Scenario:
    """Reads one scenario.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no scenario, saying what is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} must be YAML in UTF-8: {error}") from error
    if not isinstance(content, dict) or set(content) != _KEYS:
        raise ValueError(f"{path} must hold exactly {', '.join(sorted(_KEYS))}")
    if content["role"] not in _ROLES or content["kind"] not in _KINDS:
        raise ValueError(
            f"{path}: role must be one of {', '.join(_ROLES)} and kind one of "
            f"{', '.join(_KINDS)}, got {content['role']!r} and {content['kind']!r}"
        )
    candidates = content["candidates"]
    texts = [content["prompt"], content["context"], *(candidates or [])]
    if not isinstance(candidates, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{path}: prompt, context and candidates must be text")
    if len(candidates) < 3 or len(set(candidates)) < len(candidates):
        raise ValueError(
            f"{path} must have at least 3 different candidates, got {len(set(candidates))} "
            f"different of {len(candidates)}"
        )
    return Scenario(
        path.stem, content["role"], content["kind"], content["prompt"], content["context"],
        tuple(candidates),
    )  # fmt: skip


def own_scenarios() -> tuple[Scenario, ...]:
    """The scenarios that come with the project, by name."""
    return tuple(scenario_from_file(path) for path in sorted(_OWN_FOLDER.glob("*.yaml")))
