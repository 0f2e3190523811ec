"""Text prompts for music without a language model: drawn, crossed and mutated from a word list.

What a person would change in "a calm ambient piece with piano and soft strings, slow": one genre,
instrument, mood or tempo for another.
"""

import re
from typing import Final, Literal

import numpy as np

__all__ = ["TextPrompts"]

WORDS: Final = {
    "mood": (
        "calm", "bright", "dark", "dreamy", "driving", "gentle", "hopeful", "lonely", "nervous",
        "playful", "proud", "restless", "sad", "solemn", "tender", "warm", "wild",
    ),
    "genre": (
        "ambient", "baroque", "blues", "bossa nova", "chamber", "cool jazz", "drum and bass", "dub",
        "electronic", "folk", "funk", "gospel", "hip hop", "house", "minimal", "new wave",
        "orchestral", "reggae", "rock", "soul", "swing", "synthwave", "techno", "waltz",
    ),
    "instrument": (
        "accordion", "acoustic guitar", "brass", "cello", "choir", "clarinet", "double bass",
        "drums", "electric guitar", "electric piano", "flute", "hand percussion", "harp", "marimba",
        "organ", "piano", "saxophone", "strings", "synth bass", "synth pads", "trumpet",
        "vibraphone", "violin",
    ),
    "tempo": ("very slow", "slow", "unhurried", "medium tempo", "lively", "fast", "very fast"),
}  # fmt: skip
_TRIES: Final = 8


class TextPrompts:
    """Keeps the interface of `searchers.llm_evolve.TextOperators` for prompts.

    Args:
        longest: characters of a prompt, ≥ 40.
    """

    kind: Literal["prompt"] = "prompt"

    def __init__(self, longest: int = 200) -> None:
        self._longest = longest

    def novel(self, rng: np.random.Generator) -> str:
        """A prompt out of nothing."""
        mood, genre, tempo = (_one(WORDS[kind], rng) for kind in ("mood", "genre", "tempo"))
        one, other = (WORDS["instrument"][int(k)] for k in rng.permutation(23)[:2])
        return f"a {mood} {genre} piece with {one} and {other}, {tempo}"

    def is_valid(self, text: str) -> bool:
        """Whether it is a phrase that can be given to a generator."""
        return 3 <= len(text) <= self._longest and bool(re.search(r"[a-zA-Z]{3}", text))

    def mutated(self, parent: str, rng: np.random.Generator) -> str:
        """The parent with one word of the list replaced by another of its kind."""
        found = [(kind, word) for kind, words in WORDS.items() for word in words if word in parent]
        if not found:
            return self.novel(rng)
        kind, word = found[int(rng.integers(len(found)))]
        others = [one for one in WORDS[kind] if one not in parent]
        return parent.replace(word, _one(tuple(others), rng), 1)

    def crossed(self, mother: str, father: str, rng: np.random.Generator) -> str:
        """The mother with some of the father's words of the same kinds, not longer than both."""
        child = mother
        for words in WORDS.values():
            ours = [word for word in words if word in mother]
            theirs = [word for word in words if word in father and word not in mother]
            if ours and theirs and rng.random() < 0.5:
                child = child.replace(_one(tuple(ours), rng), _one(tuple(theirs), rng), 1)
        if child in (mother, father):
            return self.mutated(child, rng)
        return child[: max(len(mother), len(father), self._longest)]


def _one(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]
