"""The live coder's desk: code comes in, rankings go out, and the chosen program is played.

Code comes by OSC, from a folder, or from a language model; it becomes a `CodeRequest`. Every
`CodeRanked` is answered by OSC; the performer's word `CodePlay`, or after a delay nobody's, sends
a place of the last ranking to Sonic Pi, or to the headphones. The desk owns no clock: whoever runs
it calls `step` again and again; what would block is done by workers elsewhere.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field

from actors.background import Worker
from actors.devices.code_folder import CodeFolder
from actors.devices.code_osc import (
    AddCandidate,
    ClearCandidates,
    CodeReplies,
    Hold,
    Rank,
    SetContext,
    Word,
)
from actors.devices.code_preview import Preview, PreviewConfig, PreviewJob
from actors.devices.code_proposer import Question
from actors.devices.osc import OscConfig, Rate
from actors.devices.sonic_pi import SonicPi, SonicPiConfig
from actors.streams.machinery_messages import Fault
from actors.streams.streams import Streams
from agents.code_ranking.agent import CodeRankingConfig
from agents.code_ranking.programs import whole_program
from agents.code_ranking.proposals import PARTS, Proposals
from agents.code_ranking.stage_load import StageLoad
from agents.messages import (
    CodePlay,
    CodeRanked,
    CodeRequest,
    CodeSent,
    Feedback,
    Message,
    Metric,
    Played,
    Tick,
)
from models.language_model import LanguageModelConfig

ROLE: Final = "code_ranking"
HEARS: Final = (
    CodeRequest.TOPIC,
    CodeRanked.TOPIC,
    CodePlay.TOPIC,
    Feedback.TOPIC,
    Played.TOPIC,
    Tick.TOPIC,
)
"""Topics of the desk."""
MOST_WORDS: Final = 1024
"""Words by OSC that wait for the desk; the oldest are dropped."""
LATE_SECONDS: Final = 2.0
"""How long after its time a language model's answer is still waited for."""
COMPLAINTS_PER_SECOND: Final = 1.0


class CodeDeskConfig(BaseModel, frozen=True, extra="forbid"):
    """Where code comes from and where it goes."""

    keep: int = Field(3, ge=1, le=99)  # how many are chosen, unless a request says otherwise
    mode: Literal["diversity", "nearest"] = "diversity"  # how, unless a request says otherwise
    osc: OscConfig | None = OscConfig(port=7771)  # where code is listened for; none: nowhere
    reply_port: int | None = Field(None, ge=1, le=65_535)  # UDP, this machine; none: no replies
    folder: Path | None = None  # watched for context.rb and candidates/*.rb; none: no folder
    folder_seconds: float = Field(0.5, ge=0.1, le=60)  # between two looks at it
    model: LanguageModelConfig | None = None  # proposes code when asked; none: nobody is asked
    sonic_pi: SonicPiConfig = SonicPiConfig()
    act_after: float | None = Field(None, ge=0, le=600)  # s; then plays by itself; none: never
    preview: PreviewConfig | None = PreviewConfig()  # none: no previews


class CodeDesk:
    """Puts sources and destinations around the streams; stays in the thread of its streams.

    Args:
        config: what is switched on.
        bounds: of requests, as the agent has them.
        streams: subscribed to `HEARS`.
        now: seconds, monotonic; on them rests when things are due.
        load: how the stage does: a strained one has nothing rendered unasked.
        sonic_pi: where chosen programs are played; None: nowhere.
        model: asks a language model; None: there is none.
        previewer: renders what is to be heard first; None: nothing is.
        replies: answers by OSC; None: nobody.
        refused: how many OSC messages were refused so far.
    """

    def __init__(
        self,
        config: CodeDeskConfig,
        bounds: CodeRankingConfig,
        streams: Streams,
        now: Callable[[], float],
        load: StageLoad,
        *,
        sonic_pi: SonicPi | None = None,
        model: Worker[Question, tuple[Question, Proposals]] | None = None,
        previewer: Worker[PreviewJob, Preview] | None = None,
        replies: CodeReplies | None = None,
        refused: Callable[[], int] = lambda: 0,
    ) -> None:
        self.window = 0
        self.words: deque[Word] = deque(maxlen=MOST_WORDS)
        """What was said by OSC; any thread may append."""
        self._config, self._bounds = config, bounds
        self._streams, self._now, self._load = streams, now, load
        self._sonic_pi, self._model, self._previewer = sonic_pi, model, previewer
        self._replies, self._refused = replies, refused
        self._folder = None
        if config.folder is not None:
            self._folder = CodeFolder(config.folder, bounds.most_candidates, bounds.most_characters)
        self._folder_due = now()
        self._context = ""
        self._candidates: list[str] = []
        self._n_requests = 0
        self._ranked: CodeRanked | None = None
        self._alone_due: float | None = None
        self._asked: dict[str, float] = {}
        self._complaints = Rate(COMPLAINTS_PER_SECOND)
        self._n_refused = 0
        self._n_told = 0

    def restore(self, history: Iterable[Message]) -> None:
        """Take up the last ranking after a restart, so that its places can still be played."""
        for message in history:
            if isinstance(message, CodeRanked) and _is_playable(message):
                self._ranked = message

    def step(self, timeout_seconds: float) -> None:
        """Take in what has come from everywhere, and do what is due.

        Args:
            timeout_seconds: how long to wait for a first message, ≥ 0.
        """
        for envelope in self._streams.receive(timeout_seconds):
            self._hear(envelope.message)  # type: ignore[arg-type]
        while self.words:
            self._take(self.words.popleft())
        self._look_into_folder()
        self._collect_proposals()
        self._collect_previews()
        if self._alone_due is not None and self._now() >= self._alone_due:
            self._alone_due = None
            self._play(1)

    def close(self) -> None:
        """Let go of everything; any number of times."""
        for worker in (self._model, self._previewer):
            if worker is not None:
                worker.close()
        if self._replies is not None:
            self._replies.close()

    def _hear(self, message: Message) -> None:
        match message:
            case Tick():
                self.window = message.window
                self._tell_refused()
            case CodeRequest(candidates=(), propose=propose) if propose > 0:
                self._ask(message)
            case CodeRanked():
                self._take_ranking(message)
            case CodePlay(preview=True):
                self._preview(message.place)
            case CodePlay():
                self._alone_due = None
                self._play(message.place)
            case Feedback(verdict="panic"):
                self._alone_due = None
            case Played():
                self._load.take(message)
            case _:
                pass

    def _take(self, word: Word) -> None:
        match word:
            case SetContext(code):
                if self._fits(code):
                    self._context = code
            case AddCandidate(code):
                if len(self._candidates) >= self._bounds.most_candidates:
                    self._complain(
                        f"at most {self._bounds.most_candidates} candidates are ranked at once; "
                        "rank or clear them first"
                    )
                elif self._fits(code):
                    self._candidates.append(code)
            case ClearCandidates():
                self._candidates = []
            case Rank():
                self._request(word)
            case Hold():
                self._alone_due = None
            case CodePlay():
                self._streams.publish(word)  # comes back to us, and into the journal

    def _fits(self, code: str) -> bool:
        if len(code) <= self._bounds.most_characters:
            return True
        self._complain(
            f"a program must have at most {self._bounds.most_characters} characters, got "
            f"{len(code)}; shorten it"
        )
        return False

    def _request(self, rank: Rank) -> None:
        candidates = tuple(self._candidates) if rank.n == 0 else ()
        if rank.n == 0 and not candidates:
            self._complain("there must be candidates to rank, got none; send some first")
            return
        if rank.n == 0:
            self._candidates = []
        self._publish_request("osc" if rank.n == 0 else "model", self._context, candidates, rank)

    def _publish_request(
        self, source: str, context: str, candidates: Sequence[str], rank: Rank
    ) -> None:
        self._n_requests += 1
        request = CodeRequest(
            window=self.window,
            request=f"{source}-{self.window}-{self._n_requests}",
            context=context,
            candidates=tuple(candidates),
            mode=rank.mode or self._config.mode,
            keep=rank.keep or self._config.keep,
            propose=min(rank.n, self._bounds.most_candidates),
            part=rank.part,
        )
        self._streams.publish(request)

    def _look_into_folder(self) -> None:
        if self._folder is None or self._now() < self._folder_due:
            return
        self._folder_due = self._now() + self._config.folder_seconds
        dropped = self._folder.look()
        for complaint in self._folder.complaints():
            self._complain(complaint)
        if dropped is not None:
            rank = Rank(0, "anything", None, None)
            self._publish_request("folder", dropped.context, dropped.candidates, rank)

    def _ask(self, request: CodeRequest) -> None:
        if self._model is None or self._config.model is None:
            self._refuse(request.request, "no language model is configured; set "
                         "code_ranking.desk.model.base_url and .model")  # fmt: skip
            return
        if request.part not in PARTS or len(request.context) > self._bounds.most_characters:
            self._refuse(request.request, f"part must be one of {', '.join(PARTS)} and the context "
                         f"at most {self._bounds.most_characters} characters")  # fmt: skip
            return
        n = min(request.propose, self._bounds.most_candidates)
        question = Question(
            request.request, request.context, request.part, n, request.mode, request.keep
        )
        self._asked[request.request] = self._now() + self._config.model.seconds + LATE_SECONDS
        dropped = self._model.submit(question)
        if dropped is not None and self._asked.pop(dropped.request, None) is not None:
            self._refuse(dropped.request, "a newer question came first; ask again")

    def _collect_proposals(self) -> None:
        for question, proposals in self._model.finished() if self._model is not None else ():
            if self._asked.pop(question.request, None) is None:
                continue  # it was given up
            if proposals.error:
                self._refuse(question.request, proposals.error, proposals.malformed)
                continue
            self._streams.publish(
                CodeRequest(
                    self.window,
                    question.request,
                    question.context,
                    proposals.candidates,
                    question.mode,
                    question.keep,
                    part=question.part,
                    malformed=proposals.malformed,
                )
            )
        for request in [r for r, due in self._asked.items() if self._now() > due]:
            del self._asked[request]
            self._refuse(request, "the language model did not answer in time; ask again")

    def _refuse(self, request: str, sentence: str, malformed: int = 0) -> None:
        """Answer a request that cannot be ranked."""
        self._streams.publish(
            CodeRanked(
                self.window, request, self._config.mode, "", (), (), (), (), (),
                (sentence,), malformed, final=True,
            )
        )  # fmt: skip

    def _take_ranking(self, ranked: CodeRanked) -> None:
        if self._replies is not None:
            self._replies.ranked(ranked)
        if not _is_playable(ranked):
            return
        self._ranked, self._alone_due = ranked, None
        if not ranked.final:
            return
        if self._config.act_after is not None:
            self._alone_due = self._now() + self._config.act_after
        preview = self._config.preview
        if preview is not None and preview.automatic and not self._load.is_strained:
            self._preview(1)

    def _chosen(self, place: int) -> tuple[CodeRanked, int, str] | None:
        """The ranking, candidate and whole program at a place of the last ranking."""
        ranked = self._ranked
        if ranked is None or not 1 <= place <= len(ranked.order):
            n = 0 if ranked is None else len(ranked.order)
            self._complain(f"place must be in the last ranking, which has {n}, got {place}")
            return None
        candidate = ranked.order[place - 1]
        return ranked, candidate, whole_program(ranked.context, ranked.candidates[candidate])

    def _play(self, place: int) -> None:
        found = self._chosen(place)
        if found is None or self._sonic_pi is None:
            return
        ranked, candidate, program = found
        try:
            where = self._sonic_pi.play(program)
        except OSError as error:
            self._complain(str(error), ranked.request)
            return
        self._tell_sent(CodeSent(self.window, ranked.request, candidate, "sonic_pi", where))

    def _preview(self, place: int) -> None:
        found = self._chosen(place)
        if found is not None and self._previewer is not None:
            ranked, candidate, program = found
            self._previewer.submit(PreviewJob(ranked.request, candidate, program))

    def _collect_previews(self) -> None:
        for preview in self._previewer.finished() if self._previewer is not None else ():
            job = preview.job
            if preview.error:
                self._complain(preview.error, job.request)
            if preview.detail:
                self._tell_sent(
                    CodeSent(self.window, job.request, job.candidate, "preview", preview.detail)
                )

    def _tell_sent(self, sent: CodeSent) -> None:
        self._streams.publish(sent)
        if self._replies is not None:
            self._replies.sent(sent)

    def _complain(self, sentence: str, request: str = "") -> None:
        """Say what could not be done; a flood of it is cut, and counted among the refused."""
        if self._replies is not None:
            self._replies.error(request, sentence)
        if self._complaints.admits(self._now()):
            self._streams.publish(Fault(self.window, ROLE, "refused", sentence[:500]))
        else:
            self._n_refused += 1

    def _tell_refused(self) -> None:
        total = self._refused() + self._n_refused
        if total > self._n_told:
            self._n_told = total
            self._streams.publish(Metric(self.window, "code_ranking.refused", float(total)))


def _is_playable(ranked: CodeRanked) -> bool:
    """Whether there is something in a ranking, and all of it is there."""
    return bool(ranked.order) and all(0 <= i < len(ranked.candidates) for i in ranked.order)
