"""Asks a language model for evolution: a few times, counting what went wrong, until it gives up.

A model may answer nonsense or never: then there is no answer, and whoever asked goes on without.
"""

import logging
import re
from collections import Counter
from typing import Final

from models.language_model import LanguageModel, LanguageModelError

__all__ = ["Adviser", "tagged"]

MOST_FAILURES: Final = 3
"""Questions unanswered in a row, after which no more are asked."""
_LOG = logging.getLogger(__name__)


class Adviser:
    """A language model that may fail.

    Args:
        model: which.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.failures: Counter[str] = Counter()
        self.n_asked = 0
        self._in_a_row = 0

    @property
    def has_given_up(self) -> bool:
        """Whether it failed so often in a row that it is not asked any more."""
        return self._in_a_row >= MOST_FAILURES

    def ask(self, system: str, user: str) -> str | None:
        """The model's answer; None if there was none in all attempts (see `failures`)."""
        if self.has_given_up:
            return None
        until = self._model.now() + self._model.config.seconds
        for _ in range(self._model.config.attempts):
            if self._model.now() >= until:
                break
            self.n_asked += 1
            try:
                text = self._model.answer(system, user, until)
            except LanguageModelError as error:
                _LOG.warning("%s", error)
                self.failures[str(error)] += 1
                continue
            if text.strip():
                self._in_a_row = 0
                return text
            self.failures["empty answer"] += 1
        self._in_a_row += 1
        return None


def tagged(answer: str, tag: str = "prompt", longest: int = 6000) -> list[str]:
    """What stands between <tag> and </tag>, one text each, none twice.

    Reasoning before it is cut off. A closing tag that is missing ends where the next one opens, so
    that one slip does not spoil the answer.
    """
    answer = re.split(r"</think(?:ing)?>", answer)[-1]
    pattern = rf"<{tag}>(.*?)(?=</{tag}>|<{tag}>|\Z)"
    found = (text.strip() for text in re.findall(pattern, answer, re.S | re.I))
    return list(dict.fromkeys(text for text in found if 0 < len(text) <= longest))
