"""What is bred: genomes, the individuals that carry them, and both as plain data.

A genome is what a generator is given: a Sonic Pi program, a text prompt, or a vector (token
embeddings, flattened). A program found by searching its parameters carries both: the vector that
is searched and the program that it spells.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from agents.evolution.audio_faults import AudioFaults
from agents.evolution.fitness import Judgement
from agents.evolution.music_guard import Suspicion

__all__ = ["Answer", "Condition", "Genome", "Individual", "judgement_from_plain"]

FloatArray = NDArray[np.float32]
Kind = Literal["program", "prompt", "vector"]
Condition = str | FloatArray
"""What a generator makes sound from: a program, a prompt, or embeddings (tokens, dim)."""


@dataclass(frozen=True, eq=False)
class Genome:
    """One point of the space that is searched.

    Args:
        kind: program (Sonic Pi), prompt (text), or vector (nothing but numbers).
        text: the program or prompt; "" for a vector.
        vector: what is searched numerically, any shape, finite; None for text alone.

    Raises:
        ValueError: a text kind without text, a vector kind without a vector, or not finite.
    """

    kind: Kind
    text: str = ""
    vector: FloatArray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.kind == "vector" and self.vector is None:
            raise ValueError("a genome of kind vector must have a vector, got none")
        if self.kind != "vector" and not self.text.strip():
            raise ValueError(f"a genome of kind {self.kind} must have text, got {self.text!r}")
        if self.vector is not None and not np.isfinite(self.vector).all():
            raise ValueError("a genome's vector must be finite, got NaN or infinity")

    @property
    def condition(self) -> Condition:
        """What the generator is given: the text if there is one, else the vector."""
        if self.text or self.vector is None:
            return self.text
        return self.vector

    @property
    def key(self) -> str:
        """32 hexadecimal digits: equal for genomes that sound alike (the same condition)."""
        digest = hashlib.blake2b(self.kind.encode() + self.text.encode(), digest_size=16)
        if not self.text and self.vector is not None:
            digest.update(repr(self.vector.shape).encode())
            digest.update(np.ascontiguousarray(self.vector, np.float32).tobytes())
        return digest.hexdigest()

    def plain(self) -> dict[str, Any]:
        """Plain values and an array; see `from_plain`."""
        return {"kind": self.kind, "text": self.text, "vector": self.vector}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The genome that `plain` described."""
        return cls(values["kind"], values["text"], values["vector"])


@dataclass(frozen=True, eq=False)
class Individual:
    """A genome, where it comes from, and what became of it.

    Args:
        id: unique within an evolution, ≥ 0, in order of birth.
        genome: what it is.
        generation: in which it was born, ≥ 0.
        operator: how it came about (novel, elite, mutate, cross, …).
        parents: ids.
        seed: for the generator.
        estimate: fitness that the surrogate foresaw; None without one.
        judgement: what was made of its clip; None until an answer has come.
        extras: figures reported beside the fitness and never part of it.
    """

    id: int
    genome: Genome
    generation: int
    operator: str = ""
    parents: tuple[int, ...] = ()
    seed: int = 0
    estimate: float | None = None
    judgement: Judgement | None = None
    extras: Mapping[str, float] = field(default_factory=dict)

    @property
    def fitness(self) -> float:
        """As judged.

        Raises:
            RuntimeError: not judged yet.
        """
        if self.judgement is None:
            raise RuntimeError(f"individual {self.id} must be judged before its fitness is asked")
        return self.judgement.fitness

    def plain(self) -> dict[str, Any]:
        """Plain values and arrays; see `from_plain`."""
        judged = None
        if self.judgement is not None:
            judged = asdict(self.judgement)
        return {
            "id": self.id,
            "genome": self.genome.plain(),
            "generation": self.generation,
            "operator": self.operator,
            "parents": list(self.parents),
            "seed": self.seed,
            "estimate": self.estimate,
            "judgement": judged,
            "extras": dict(self.extras),
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The individual that `plain` described."""
        judged = values["judgement"]
        return cls(
            **{
                **values,
                "genome": Genome.from_plain(values["genome"]),
                "parents": tuple(values["parents"]),
                "judgement": None if judged is None else judgement_from_plain(judged),
            }
        )


@dataclass(frozen=True, eq=False)
class Answer:
    """What became of one child: sent by whoever evaluated it, whenever it is done.

    Args:
        id: of the individual.
        judgement: of its clip.
        extras: as `Individual.extras`.
    """

    id: int
    judgement: Judgement
    extras: Mapping[str, float] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Plain values and arrays, for a message; see `from_plain`."""
        return {
            "id": self.id,
            "judgement": asdict(self.judgement),
            "extras": dict(self.extras),
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The answer that `plain` described."""
        return cls(values["id"], judgement_from_plain(values["judgement"]), values["extras"])


def judgement_from_plain(values: Mapping[str, Any]) -> Judgement:
    """The judgement that `dataclasses.asdict` described."""
    faults, suspicion = values["faults"], values["suspicion"]
    return replace(
        Judgement(**values),
        faults=None if faults is None else AudioFaults(**faults),
        suspicion=None if suspicion is None else Suspicion(**suspicion),
    )
