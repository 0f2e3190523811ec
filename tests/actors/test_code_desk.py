"""The live coder's desk: what comes in becomes requests, what was ranked goes out."""

import socket
import threading

import msgpack
import pytest
from pythonosc.osc_message import OscMessage

from actors.background import InlineWorker, ThreadWorker
from actors.code_desk import HEARS, CodeDesk, CodeDeskConfig
from actors.devices.code_osc import AddCandidate, ClearCandidates, Hold, Rank, SetContext
from actors.devices.code_preview import Preview
from actors.devices.sonic_pi import SonicPi, SonicPiConfig
from actors.streams.codec import encode
from actors.streams.in_process_streams import InProcessHub
from actors.streams.machinery_messages import Fault
from agents.code_ranking.agent import CodeRankingConfig
from agents.code_ranking.proposals import Proposals
from agents.code_ranking.stage_load import StageLoad
from agents.messages import (
    CodePlay,
    CodeRanked,
    CodeRequest,
    CodeSent,
    Feedback,
    Metric,
    Played,
    Tick,
)
from agents.musical_time import Moment
from models.language_model import LanguageModelConfig

RANK = Rank(0, "anything", None, None)
MODEL = LanguageModelConfig(base_url="http://127.0.0.1:9/v1", model="small", seconds=5)


class Room:
    """A desk, a second peer that hears all it says, and seconds that move when told."""

    def __init__(self, tmp_path, bounds=None, *, refused=lambda: 0, **options):
        self.seconds = 0.0
        self.hub = hub = InProcessHub(now=lambda: self.seconds)
        streams = hub.join("code_desk", HEARS)
        self.counters = streams.counters
        sources = {n: options.pop(n, None) for n in ("sonic_pi", "model_worker", "previewer")}
        self.desk = CodeDesk(
            CodeDeskConfig(osc=None, **options),
            bounds or CodeRankingConfig(),
            streams,
            lambda: self.seconds,
            StageLoad(0.25),
            sonic_pi=sources["sonic_pi"],
            model=sources["model_worker"],
            previewer=sources["previewer"],
            refused=refused,
        )
        self.peer = hub.join("peer", (*HEARS, Fault.TOPIC, CodeSent.TOPIC, Metric.TOPIC))
        self.tmp_path = tmp_path

    def say(self, *messages, words=(), seconds=0.0):
        """What the desk says to messages and words, after so many seconds."""
        self.seconds += seconds
        for message in messages:
            self.peer.publish(message)
        self.peer.receive()  # its own words are no answers
        self.desk.words.extend(words)
        self.desk.step(0.0)
        self.desk.step(0.0)  # what it said to itself
        return [envelope.message for envelope in self.peer.receive()]

    def only(self, kind, *messages, **options):
        [found] = [m for m in self.say(*messages, **options) if isinstance(m, kind)]
        return found


@pytest.fixture
def room(tmp_path):
    rooms = []

    def begin(bounds=None, **options):
        rooms.append(Room(tmp_path, bounds, **options))
        return rooms[-1]

    yield begin
    for one in rooms:
        one.desk.close()


@pytest.fixture
def listener():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        yield listener


@pytest.fixture
def sonic_pi(listener, tmp_path):
    return SonicPi(SonicPiConfig(port=listener.getsockname()[1], home=tmp_path))


def ranking(name="osc-1", order=(2, 0, 1), final=True):
    return CodeRanked(
        3, name, "diversity", "use_bpm 90\n", ("play 1", "play 2", "play 3"), order,
        (1.0,) * len(order), ("static",) * len(order), order[:1], (), 0, final,
    )  # fmt: skip


def play(place, *, preview=False):
    return CodePlay(3, place, preview)


def tick(window):
    return Tick(window, Moment(window, 0.25 * window, 0.5 * window, 120.0), 0.0625)


def arrived(listener):
    return OscMessage(listener.recv(65_536)).params[1]


def nothing_arrived(listener):
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(65_536)
    return True


def test_context_and_candidates_become_one_request_and_are_not_ranked_twice(room):
    desk = room(keep=2, mode="nearest")
    words = [SetContext("use_bpm 90"), AddCandidate("play 1"), AddCandidate("play 2"), RANK]
    request = desk.only(CodeRequest, tick(8), words=words)
    assert request == CodeRequest(
        8, request.request, "use_bpm 90", ("play 1", "play 2"), "nearest", 2
    )
    assert "got none" in desk.only(Fault, words=[RANK]).detail
    again = [AddCandidate("play 3"), Rank(0, "anything", 1, "diversity")]
    request = desk.only(CodeRequest, words=again, seconds=2)
    assert (request.context, request.candidates) == ("use_bpm 90", ("play 3",))
    assert (request.keep, request.mode) == (1, "diversity")


def test_candidates_can_be_cleared(room):
    desk = room()
    words = [AddCandidate("play 1"), ClearCandidates(), AddCandidate("play 2"), RANK]
    assert desk.only(CodeRequest, words=words).candidates == ("play 2",)


def test_too_much_code_is_refused_with_a_sentence_and_a_flood_of_it_is_counted(room):
    desk = room(CodeRankingConfig(most_candidates=2, most_characters=100))
    fault = desk.only(Fault, words=[SetContext("#" * 101)])
    assert (fault.event, "at most 100 characters" in fault.detail) == ("refused", True)
    said = desk.say(tick(1), words=[AddCandidate("play 1")] * 9, seconds=2)
    assert len([m for m in said if isinstance(m, Fault)]) == 1
    assert Metric(2, "code_ranking.refused", 6.0) in desk.say(tick(2))
    assert desk.only(CodeRequest, words=[RANK]).candidates == ("play 1", "play 1")


def test_what_osc_refused_is_told_once_a_change(room):
    total = 0
    desk = room(refused=lambda: total)
    assert desk.say(tick(1)) == []
    total = 3
    assert desk.say(tick(2)) == [Metric(2, "code_ranking.refused", 3.0)]
    assert desk.say(tick(3)) == []


def test_a_folder_becomes_a_request_and_its_bad_files_a_sentence(room, tmp_path):
    (tmp_path / "candidates").mkdir()
    (tmp_path / "context.rb").write_text("use_bpm 90")
    (tmp_path / "candidates" / "a.rb").write_text("play 1")
    (tmp_path / "candidates" / "b.rb").write_bytes(b"\xff")
    desk = room(folder=tmp_path)
    assert desk.say() == []
    assert desk.say(seconds=0.4) == []  # not yet time for a second look
    said = desk.say(seconds=0.2)
    assert "b.rb must be UTF-8" in next(m.detail for m in said if isinstance(m, Fault))
    [request] = [m for m in said if isinstance(m, CodeRequest)]
    assert (request.context, request.candidates) == ("use_bpm 90", ("play 1",))
    assert desk.say(seconds=1) == []


def test_the_performer_has_a_place_of_the_last_ranking_played(room, sonic_pi, listener):
    desk = room(sonic_pi=sonic_pi)
    desk.say(ranking())
    sent = desk.only(CodeSent, words=[play(1)])
    assert arrived(listener) == "use_bpm 90\n\nplay 3"
    assert (sent.request, sent.candidate, sent.destination) == ("osc-1", 2, "sonic_pi")
    desk.only(CodeSent, play(3))  # said on the streams, by whomever
    assert arrived(listener) == "use_bpm 90\n\nplay 2"


def test_nothing_is_played_of_what_is_not_there(room, sonic_pi, listener):
    desk = room(sonic_pi=sonic_pi)
    assert "which has 0, got 1" in desk.only(Fault, words=[play(1)]).detail
    desk.say(ranking(), ranking("forged", order=(7, -1)), ranking("empty", order=()))
    assert "which has 3, got 4" in desk.only(Fault, words=[play(4)], seconds=5).detail
    assert nothing_arrived(listener)


def test_without_a_sonic_pi_the_performer_gets_a_sentence_and_the_desk_goes_on(room, tmp_path):
    desk = room(sonic_pi=SonicPi(SonicPiConfig(home=tmp_path)))
    desk.say(ranking())
    assert "Sonic Pi must be running" in desk.only(Fault, words=[play(1)]).detail
    assert desk.only(CodeRequest, words=[AddCandidate("play 1"), RANK]).candidates == ("play 1",)


def test_by_itself_it_plays_nothing_unless_told_to_and_then_after_the_delay(
    room, sonic_pi, listener
):
    quiet, alone = room(sonic_pi=sonic_pi), room(sonic_pi=sonic_pi, act_after=8.0)
    quiet.say(ranking())
    assert quiet.say(seconds=100) == []
    alone.say(ranking(final=False))
    assert alone.say(seconds=100) == []  # only the last answer counts
    alone.say(ranking())
    assert alone.say(seconds=7.9) == []
    assert alone.only(CodeSent, seconds=0.2).candidate == 2
    assert arrived(listener).endswith("play 3")
    assert alone.say(seconds=100) == []  # once


@pytest.mark.parametrize("veto", [{"words": [Hold()]}, {"message": Feedback(3, "panic", "keys")}])
def test_a_word_or_panic_keeps_it_from_playing_by_itself(room, sonic_pi, listener, veto):
    desk = room(sonic_pi=sonic_pi, act_after=8.0)
    desk.say(ranking())
    desk.say(*filter(None, [veto.get("message")]), words=veto.get("words", ()))
    assert desk.say(seconds=100) == []
    assert nothing_arrived(listener)


def test_after_a_restart_the_last_ranking_can_still_be_played(room, sonic_pi, listener):
    desk = room(sonic_pi=sonic_pi)
    desk.desk.restore([ranking("a"), ranking("b", order=(1, 0)), ranking("c", order=(9,))])
    assert desk.only(CodeSent, words=[play(1)]).request == "b"
    assert arrived(listener).endswith("play 2")


def test_what_is_chosen_is_previewed_unasked_and_other_places_when_asked(room):
    heard = []

    def hear(job):
        heard.append(job.program)
        return Preview(job, "previews/1.wav", "" if len(heard) == 1 else "the headphones are gone")

    desk = room(previewer=InlineWorker(hear))
    sent = desk.only(CodeSent, ranking())
    assert (sent.destination, sent.candidate, sent.detail) == ("preview", 2, "previews/1.wav")
    said = desk.say(words=[play(2, preview=True)])
    assert [m.detail for m in said if isinstance(m, Fault)] == ["the headphones are gone"]
    assert heard == ["use_bpm 90\n\nplay 3", "use_bpm 90\n\nplay 1"]


def test_garbage_on_the_streams_is_counted_and_the_desk_goes_on(room):
    desk = room()
    for topic in (b"code.request", b"code.ranked", b"code.play"):
        for frames in ([topic], [topic, b"", b""], [topic, b"\xc1", b"\xff" * 9]):
            desk.hub.deliver(frames)
    header, payload = forged(ranking(), order=("first",))
    desk.hub.deliver([b"code.ranked", header, payload])
    assert desk.say() == []
    assert desk.counters.malformed.total() == 10
    assert desk.only(CodeRequest, words=[AddCandidate("play 1"), RANK]).candidates == ("play 1",)


def forged(message, **fields):
    """Header and payload of a message with fields that it cannot have."""
    _, header, payload = encode(message, sender="forger", session=1, sequence=0, time=0.0)
    return header, msgpack.packb(msgpack.unpackb(payload) | fields)


def test_a_strained_stage_is_given_no_preview_unasked(room):
    desk = room(previewer=InlineWorker(lambda job: Preview(job, "previews/1.wav")))
    late = Played(3, 0, 0, 0, "missed", 4, None, False, 0)
    assert desk.say(late, late, ranking()) == []
    assert desk.only(CodeSent, words=[play(1, preview=True)]).destination == "preview"


def test_a_newer_ranking_starts_the_delay_anew(room, sonic_pi, listener):
    desk = room(sonic_pi=sonic_pi, act_after=8.0)
    desk.say(ranking("a"))
    desk.say(ranking("b", final=False), seconds=7)
    assert desk.say(seconds=7) == []
    desk.say(ranking("b"))
    assert desk.only(CodeSent, seconds=8).request == "b"
    assert arrived(listener).endswith("play 3")


def ask(n=3, part="bass"):
    return [SetContext("use_bpm 90"), Rank(n, part, 2, None)]


def test_proposals_of_a_language_model_are_ranked_under_the_name_of_the_question(room):
    questions = []

    def answer(question):
        questions.append(question)
        return question, Proposals(("play 1", "play 2"), 4)

    said = room(model=MODEL, model_worker=InlineWorker(answer)).say(words=ask())
    asked, request = [m for m in said if isinstance(m, CodeRequest)]
    assert (asked.propose, asked.part, asked.candidates) == (3, "bass", ())
    assert request.request == asked.request
    assert (request.candidates, request.malformed, request.keep) == (("play 1", "play 2"), 4, 2)
    assert (questions[0].context, questions[0].n) == ("use_bpm 90", 3)


def test_a_language_model_that_fails_is_one_sentence_with_its_malformed_answers(room):
    worker = InlineWorker(lambda question: (question, Proposals((), 5, "it must answer")))
    answer = room(model=MODEL, model_worker=worker).only(CodeRanked, words=ask())
    assert (answer.errors, answer.malformed, answer.order) == (("it must answer",), 5, ())


def test_without_a_language_model_a_question_is_refused(room):
    assert "code_ranking.desk.model" in room().only(CodeRanked, words=ask()).errors[0]


def test_a_language_model_that_hangs_is_given_up_and_its_late_answer_is_not_taken(room):
    gate, done = threading.Event(), threading.Event()

    def hang(question):
        gate.wait(10)
        done.set()
        return question, Proposals(("play 1",), 0)

    worker = ThreadWorker("model", hang)
    desk = room(model=MODEL, model_worker=worker)
    assert [type(m) for m in desk.say(words=ask())] == [CodeRequest]
    assert "in time" in desk.only(CodeRanked, seconds=8).errors[0]
    gate.set()
    assert done.wait(10)
    worker.close(10)
    assert desk.say() == []
