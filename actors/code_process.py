"""What stands in the code-ranking process: the agent in its host, the desk on a thread beside it.

A ranking that takes its time must not keep the performer's word waiting, so the desk has streams
of its own. Should the desk fail, the host ends too, and the supervisor starts both anew.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from actors.background import InlineWorker, ThreadWorker
from actors.clock import SystemClock
from actors.code_desk import HEARS, CodeDesk, CodeDeskConfig
from actors.devices.audio import DeviceError
from actors.devices.code_osc import LONGEST_DATAGRAM, CodeReplies, Word, translate
from actors.devices.code_preview import Preview, Previewer, PreviewJob
from actors.devices.code_proposer import CodeProposer, Question
from actors.devices.osc import OscReceiver
from actors.devices.sonic_pi import SonicPi
from actors.host import Host
from actors.journal_recorder import recall
from actors.parts import PARTS
from actors.stage_config import BandConfig
from actors.streams.machinery_messages import Fault
from actors.streams.streams import Streams
from agents.code_ranking.agent import CodeRankingAgent
from agents.code_ranking.proposals import Proposals
from agents.code_ranking.stage_load import StageLoad
from agents.messages import Message
from models.language_model import LanguageModel, LanguageModelError

Connect = Callable[[BandConfig, str, tuple[str, ...]], Streams]
ROUND_SECONDS: Final = 0.05
"""How long the desk waits for news before it looks at everything else."""


class CodeRankingPlayer:
    """The agent's host and its desk.

    Args:
        host: plays the agent, in the calling thread.
        agent: closed at the end.
        open_desk: makes the desk, in the thread that will run it.
    """

    def __init__(
        self, host: Host, agent: CodeRankingAgent, open_desk: Callable[[], "_Open"]
    ) -> None:
        self._host = host
        self._agent = agent
        self._open_desk = open_desk
        self._failure: Exception | None = None

    def run(self, stop: threading.Event) -> None:
        """Play until `stop` is set.

        Raises:
            RuntimeError: the desk failed.
        """
        desk = threading.Thread(target=self._run_desk, args=(stop,), name="desk", daemon=True)
        desk.start()
        try:
            self._host.run(stop)
        finally:
            desk.join(10 * ROUND_SECONDS)
            self._agent.close()
        if self._failure is not None:
            raise RuntimeError(f"its desk failed: {self._failure}") from self._failure

    def _run_desk(self, stop: threading.Event) -> None:
        try:
            opened = self._open_desk()
            try:
                while not stop.is_set():
                    opened.desk.step(ROUND_SECONDS)
            finally:
                opened.close()
        except Exception as error:  # noqa: BLE001 the thread's last frame: told by `run`
            self._failure = error
            stop.set()


class _Open:
    """An opened desk with all that must be closed."""

    def __init__(
        self, desk: CodeDesk, streams: Streams, listener: OscReceiver[Word] | None
    ) -> None:
        self.desk, self._streams, self._listener = desk, streams, listener

    def close(self) -> None:
        if self._listener is not None:
            self._listener.stop()
        self.desk.close()
        self._streams.close()


def prepare_code_ranking(
    config: BandConfig, connect: Connect, recall_seconds: float | None
) -> CodeRankingPlayer:
    """The agent built and connected; the desk follows in its own thread.

    Args:
        config: the run.
        connect: makes streams of the calling thread.
        recall_seconds: after a restart, how long the past is asked for; None in a first life.

    Raises:
        OSError: what is stored with the project cannot be read.
        TimeoutError: the broker does not answer.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)  # for good: the cores belong to those who play
    part = PARTS["code_ranking"]
    agent = part.build(config)
    assert isinstance(agent, CodeRankingAgent)
    streams = connect(config, "code_ranking", part.topics)
    past: list[Message] = []
    if recall_seconds is not None:
        told = recall(streams, part.recalls, part.recall_windows, recall_seconds)
        past = [envelope.message for envelope in told]  # type: ignore[misc]
    host = Host("code_ranking", agent, streams, SystemClock())
    return CodeRankingPlayer(host, agent, lambda: _open_desk(config, connect, past))


def _open_desk(config: BandConfig, connect: Connect, past: Sequence[Message]) -> _Open:
    """The desk with every source and destination that can be opened; what cannot is told."""
    streams = connect(config, "code_desk", HEARS)
    desk_config, clock = config.code_ranking.desk, SystemClock()
    listeners: list[OscReceiver[Word]] = []
    troubles: list[str] = []
    desk = CodeDesk(
        desk_config,
        config.code_ranking.agent,
        streams,
        clock.now,
        StageLoad(config.window),
        sonic_pi=SonicPi(desk_config.sonic_pi),
        model=_language_model(desk_config, clock.now, troubles),
        previewer=_previewer(config),
        replies=None if desk_config.reply_port is None else CodeReplies(desk_config.reply_port),
        refused=lambda: sum(listener.refused + listener.limited for listener in listeners),
    )
    desk.restore(past)
    if desk_config.osc is not None:
        listener: OscReceiver[Word] = OscReceiver(
            desk_config.osc,
            translate,
            lambda word, _: desk.words.append(word),
            lambda: desk.window,
            clock.now,
            longest_datagram=LONGEST_DATAGRAM,
        )
        try:
            listener.start()
            listeners.append(listener)
        except DeviceError as error:
            troubles.append(str(error).replace("osc.port", "code_ranking.desk.osc.port"))
    for trouble in troubles:
        streams.publish(Fault(desk.window, "code_ranking", "alarm", trouble))
    return _Open(desk, streams, listeners[0] if listeners else None)


def _language_model(
    config: CodeDeskConfig, now: Callable[[], float], troubles: list[str]
) -> ThreadWorker[Question, tuple[Question, Proposals]] | None:
    if config.model is None:
        return None
    try:
        proposer = CodeProposer(LanguageModel(config.model, now))
    except LanguageModelError as error:
        troubles.append(str(error))
        return None
    return ThreadWorker("language model", proposer.ask, proposer.close)


def _previewer(config: BandConfig) -> ThreadWorker[PreviewJob, Preview] | None:
    preview = config.code_ranking.desk.preview
    if preview is None or not config.code_ranking.agent.runs_programs:
        return None
    install = config.code_ranking.agent.install
    previewer = Previewer(preview, config.out, install, lambda: not worker.is_pressed)
    worker = ThreadWorker("preview", previewer.hear, previewer.close)
    return worker


def build_twin_desk(config: BandConfig, streams: Streams, now: Callable[[], float]) -> CodeDesk:
    """The desk of the fast twin: the folder and previews as files, nothing that is live.

    Args:
        config: the run.
        streams: subscribed to `code_desk.HEARS`.
        now: the device's time.
    """
    desk_config = config.code_ranking.desk
    previewer = None
    if desk_config.preview is not None and config.code_ranking.agent.runs_programs:
        silent = desk_config.preview.model_copy(update={"output": None})
        files = Previewer(silent, config.out, config.code_ranking.agent.install)
        previewer = InlineWorker(files.hear, files.close)
    load = StageLoad(config.window)
    return CodeDesk(desk_config, config.code_ranking.agent, streams, now, load, previewer=previewer)
