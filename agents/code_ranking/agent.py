"""Code ranking on stage: requests in, rankings out, a first one at once and a surer one later.

The first answer rests on the code alone. Between the windows that follow, programs are run and
rendered in the background (see `cascade`), as far as time and the stage's load allow, and the last
answer says what they sound like. The newest request wins: an older one that was not begun is
dropped, one under way is answered with what was found so far.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from agents.code_ranking.recent_sound import RecentSound
from agents.code_ranking.stage_load import StageLoad
from agents.messages import AudioIn, CodeRanked, CodeRequest, Message, Metric, Played
from agents.musical_time import Moment
from corpus.sonic_pi.install import InstallConfig
from corpus.sonic_pi.syntax import parse

if TYPE_CHECKING:
    from agents.code_ranking.cascade import Cascade, Inquiry
    from agents.code_ranking.ranking import Ranking, Wish

__all__ = ["CodeRankingAgent", "CodeRankingConfig", "build"]

MODES: Final = ("diversity", "nearest")
SLICE_SECONDS: Final = 1.5
"""How long one step may look at programs before it answers with what it has."""
MOST_ERRORS: Final = 40
"""Sentences in one answer."""


class CodeRankingConfig(BaseModel, frozen=True, extra="forbid"):
    """How far ranking goes on stage."""

    runs_programs: bool = True  # silent runs and renderings in the sandbox; else the code alone
    seconds: float = Field(15.0, ge=0, le=120)  # from the request to the last answer
    program_seconds: float = Field(3.0, gt=0, le=30)  # real time after which a program is given up
    near_seconds: float = Field(10.0, ge=1, le=60)  # how much of what was heard "nearest" means
    most_candidates: int = Field(32, ge=1, le=200)  # of one request
    most_characters: int = Field(20_000, ge=100, le=200_000)  # of each program
    install: InstallConfig = InstallConfig()  # where Sonic Pi is; without it the code alone decides


class _Task:
    """A request under way."""

    def __init__(self, request: CodeRequest, inquiry: "Inquiry", until: float, note: str) -> None:
        self.request, self.inquiry, self.until, self.note = request, inquiry, until, note


class CodeRankingAgent:
    """Hears `CodeRequest`, says `CodeRanked`.

    Args:
        cascade: the agent's own from now.
        recent: what the room hears.
        load: how the stage does.
        config: bounds.
        is_patient: each request is answered once, wholly, however long that takes: the twin.
    """

    def __init__(
        self,
        cascade: "Cascade",
        recent: RecentSound,
        load: StageLoad,
        config: CodeRankingConfig,
        *,
        is_patient: bool = False,
    ) -> None:
        self._cascade = cascade
        self._recent = recent
        self._load = load
        self._config = config
        self._is_patient = is_patient
        self._task: _Task | None = None
        self._n_dropped = 0

    def step(self, moment: Moment, inbox: Sequence[Message]) -> list[Message]:
        """First answers to what was asked, or the last answer to what was asked before.

        Args:
            moment: the newest moment known.
            inbox: messages since the last step.
        """
        requests = []
        for message in inbox:
            match message:
                case AudioIn():
                    self._recent.take(message)
                case Played():
                    self._load.take(message)
                case CodeRequest(candidates=(), propose=propose) if propose > 0:
                    pass  # a language model is asked first
                case CodeRequest():
                    requests.append(message)
                case _:
                    pass
        if not requests:
            return self._go_on(moment.window)
        outbox: list[Message] = [self._dropped(moment.window, r) for r in requests[:-1]]
        if len(requests) > 1:
            self._n_dropped += len(requests) - 1
            outbox.append(Metric(moment.window, "code_ranking.dropped", float(self._n_dropped)))
        return outbox + self._finish(moment.window) + self._begin(moment.window, requests[-1])

    def restore(self, history: Sequence[Message]) -> None:
        """Nothing is taken up: a request that ended the process shall not end the next one too."""

    def close(self) -> None:
        """End what runs programs."""
        self._cascade.close()

    def _begin(self, window: int, request: CodeRequest) -> list[Message]:
        refusal = self._refusal(request)
        if refusal:
            return [_answer(window, request, None, [refusal], final=True)]
        wish, note = self._wish(request)
        runs = self._is_patient or not self._load.is_strained
        inquiry = self._cascade.begin(
            request.context,
            request.candidates,
            wish,
            most_heard=None if runs else 0,
        )
        until = self._cascade.now() + self._config.seconds
        self._task = _Task(request, inquiry, until, note)
        if self._is_patient:
            while inquiry.step(float("inf")):
                pass
            return self._finish(window)
        self._look(len(request.candidates) + 1)
        ranking = inquiry.ranking()
        if ranking.is_final:
            return self._finish(window)
        return [_answer(window, request, ranking, [note], final=False)]

    def _go_on(self, window: int) -> list[Message]:
        """Look a little further into the request under way; its last answer when it is due."""
        if self._task is None:
            return []
        if self._cascade.now() >= self._task.until:
            return self._finish(window)
        if not self._load.is_strained:
            self._look(2)
        return self._finish(window) if self._task.inquiry.ranking().is_final else []

    def _look(self, n_steps: int) -> None:
        """Take up to so many steps, none of which waits."""
        assert self._task is not None
        until = self._cascade.now() + SLICE_SECONDS
        for _ in range(n_steps):
            if not self._task.inquiry.step(0.0) or self._cascade.now() >= until:
                return

    def _finish(self, window: int) -> list[Message]:
        task, self._task = self._task, None
        if task is None:
            return []
        return [_answer(window, task.request, task.inquiry.ranking(), [task.note], final=True)]

    def _wish(self, request: CodeRequest) -> tuple["Wish", str]:
        from agents.code_ranking.ranking import Wish

        near, note = None, ""
        if request.mode == "nearest":
            heard = self._recent.samples()
            if heard is None:
                note = "nothing is heard to be near to, so the most distinct are chosen"
            else:
                near = self._cascade.point_of_sound(heard, self._recent.sample_rate)
        return Wish(keep=request.keep, near=near), note

    def _refusal(self, request: CodeRequest) -> str:
        """Why a request cannot be answered; empty if it can."""
        config = self._config
        longest = max(map(len, (request.context, *request.candidates)))
        if request.mode not in MODES:
            return f"mode must be one of {', '.join(MODES)}, got {request.mode!r:.40}"
        if not 1 <= request.keep <= config.most_candidates:
            return f"keep must be in [1, {config.most_candidates}], got {request.keep}"
        if not request.candidates:
            return "there must be candidates to rank, got none; send some or ask for proposals"
        if len(request.candidates) > config.most_candidates:
            return (
                f"at most {config.most_candidates} candidates are ranked at once, got "
                f"{len(request.candidates)}; send fewer"
            )
        if longest > config.most_characters:
            return (
                f"a program must have at most {config.most_characters} characters, one has "
                f"{longest}; shorten it"
            )
        return ""

    def _dropped(self, window: int, request: CodeRequest) -> CodeRanked:
        bare = CodeRequest(
            request.window, request.request, "", (), request.mode, request.keep,
            malformed=request.malformed,
        )  # fmt: skip
        return _answer(window, bare, None, ["a newer request came first; ask again"], final=True)


def _answer(
    window: int,
    request: CodeRequest,
    ranking: "Ranking | None",
    notes: Sequence[str],
    *,
    final: bool,
) -> CodeRanked:
    order: list[int] = []
    errors = [note for note in notes if note]
    if ranking is not None:
        order = [place for place in ranking.order if not ranking.answers[place].set_aside]
        errors += [
            _complaint(place, answer.set_aside, request.candidates[place])
            for place, answer in enumerate(ranking.answers)
            if answer.set_aside and (answer.tier is not None or final)
        ]
        errors += ranking.all_notices
    answers = [] if ranking is None else [ranking.answers[place] for place in order]
    return CodeRanked(
        window=window,
        request=request.request,
        mode=request.mode,
        context=request.context,
        candidates=request.candidates,
        order=tuple(order),
        scores=tuple(a.distance if abs(a.distance) < float("inf") else 0.0 for a in answers),
        tiers=tuple(str(answer.tier) for answer in answers),
        chosen=() if ranking is None else ranking.chosen,
        errors=tuple(errors[:MOST_ERRORS]),
        malformed=request.malformed,
        final=final,
    )


def _complaint(place: int, reason: str, code: str) -> str:
    faults = parse(code).faults if reason == "syntax error" else ()
    detail = f" (line {faults[0].line}: {faults[0].message})" if faults else ""
    return f"candidate {place + 1} is left out: {reason}{detail}"


def build(
    config: CodeRankingConfig,
    sample_rate: int,
    window_seconds: float,
    *,
    is_patient: bool,
    cache: Path | None = None,
) -> CodeRankingAgent:
    """The agent with all that this machine has to run programs.

    Args:
        config: how far it goes.
        sample_rate: of what is heard, Hz.
        window_seconds: Δ.
        is_patient: as `CodeRankingAgent`.
        cache: file in which what was found out is kept by content; one that cannot be used is
            done without, and every answer says so. None: in memory only.

    Raises:
        OSError: what is stored with the project cannot be read.
    """
    cascade = _cascade(config, cache)
    cascade.rank("", ["play 60\nsleep 1"], seconds=0.0)  # what is loaded late is loaded now
    recent = RecentSound(sample_rate, window_seconds, config.near_seconds)
    return CodeRankingAgent(
        cascade, recent, StageLoad(window_seconds), config, is_patient=is_patient
    )


def _cascade(config: CodeRankingConfig, cache: Path | None) -> "Cascade":
    from agents.code_ranking.cascade import CascadeConfig, open_cascade

    plain = CascadeConfig(
        runs_programs=config.runs_programs,
        program_seconds=config.program_seconds,
        install=config.install,
    )
    if cache is None:
        return open_cascade(plain)
    try:
        return open_cascade(plain.model_copy(update={"cache": cache}))
    except OSError as error:
        cascade = open_cascade(plain)
        cascade.notices.append(str(error))
        return cascade
