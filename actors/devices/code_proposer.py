"""Pieces of Sonic Pi code from a language model: asked for, read, and asked for again.

Only what our parser reads as Sonic Pi code is passed on. Blocks: call it on a thread of its own.
"""

from dataclasses import dataclass

from agents.code_ranking.proposals import Proposals, asked_for, read_answer
from models.language_model import LanguageModel, LanguageModelError


@dataclass(frozen=True)
class Question:
    """What the language model is asked.

    Args:
        request: name of the request that it belongs to.
        context: the performer's program.
        part: a key of `proposals.PARTS`.
        n: how many pieces, ≥ 1.
        mode: how they will be ranked.
        keep: how many of them will be chosen.
    """

    request: str
    context: str
    part: str
    n: int
    mode: str
    keep: int


class CodeProposer:
    """Asks one language model for code.

    Args:
        model: which.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def ask(self, question: Question) -> tuple[Question, Proposals]:
        """Proposals to `question`, as many as came in time; never raises for what a server does."""
        until = self._model.now() + self._model.config.seconds
        candidates: tuple[str, ...] = ()
        malformed, error = 0, ""
        for _ in range(self._model.config.attempts):
            lacking = question.n - len(candidates)
            if lacking <= 0 or self._model.now() >= until:
                break
            try:
                asked = asked_for(question.context, question.part, lacking)
                answer = self._model.answer(*asked, until)
            except LanguageModelError as failure:
                error = str(failure)
                continue
            read = read_answer(answer, question.context, candidates)
            candidates += read.candidates[:lacking]
            malformed += read.malformed
        if not candidates and not error:
            error = (
                f"the language model {self._model.config.model} must answer with Sonic Pi code, "
                f"but nothing it said was any ({malformed} pieces dropped); ask again or another "
                "model"
            )
        return question, Proposals(candidates, malformed, "" if candidates else error)

    def close(self) -> None:
        """Let go of the connections."""
        self._model.close()
