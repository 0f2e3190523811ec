"""A language model over HTTP: a real server on this machine, speaking well or badly."""

import socket

import pytest
from pydantic import ValidationError

from actors.clock import SystemClock
from actors.devices.code_proposer import CodeProposer, Question
from models.language_model import (
    LONGEST_ANSWER,
    LanguageModel,
    LanguageModelConfig,
    LanguageModelError,
)

CONTEXT = "use_bpm 100\nlive_loop :drums do\n  sample :bd_haus\n  sleep 1\nend"
CODES = [f"live_loop :bass do\n  synth :fm, note: {n}\n  sleep 0.5\nend" for n in range(40, 50)]
KEY = "ANTIPHON_TEST_KEY"
NO_TEXT = b'{"choices": [{"message": {"role": "assistant", "content": null}}]}'


def proposed(*codes):
    return "".join(f"```ruby\n{code}\n```\n" for code in codes)


@pytest.fixture
def serve(language_server):
    """Says `answers` one after the other, the last again and again."""

    def begin(*answers, status=200):
        language_server.status = status
        language_server.says = lambda n: answers[min(n, len(answers)) - 1]
        return language_server

    return begin


def ask(url, n=3, now=None, **options):
    config = LanguageModelConfig(base_url=url, model="small", key_variable=KEY, **options)
    model = CodeProposer(LanguageModel(config, now or SystemClock().now))
    try:
        return model.ask(Question("model-1", CONTEXT, "bass", n, "diversity", 2))[1]
    finally:
        model.close()


def test_one_question_with_the_prompt_of_the_paper_gives_the_proposals(serve):
    server = serve(proposed(*CODES[:3]))
    proposals = ask(server.url)
    assert (proposals.candidates, proposals.malformed, proposals.error) == (tuple(CODES[:3]), 0, "")
    [asked] = server.asked
    assert asked["model"] == "small"
    assert asked["messages"][1]["content"].startswith("Propose 3 bass lines to accompany this code")
    assert CONTEXT in asked["messages"][1]["content"]


def test_malformed_proposals_are_counted_and_asked_for_again(serve):
    server = serve(proposed(CODES[0], "live_loop :x do", "I like music"), proposed(*CODES[:3]))
    proposals = ask(server.url)
    assert (proposals.candidates, proposals.malformed) == (tuple(CODES[:3]), 2)
    assert server.asked[1]["messages"][1]["content"].startswith("Propose 2 bass lines")


def test_a_model_that_talks_nonsense_is_asked_a_bounded_number_of_times(serve):
    server = serve("I cannot do that, but music is wonderful!")
    proposals = ask(server.url, attempts=2)
    assert (len(server.asked), proposals.candidates, proposals.malformed) == (2, (), 2)
    assert "must answer with Sonic Pi code" in proposals.error


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"choices": []}', b"\xff\xfe", b"[" * 100_000, NO_TEXT],
)
def test_an_answer_that_is_no_chat_completion_is_one_sentence(serve, body):
    proposals = ask(serve(body).url, attempts=1)
    assert proposals.candidates == ()
    assert "language model" in proposals.error
    assert "\n" not in proposals.error


def test_a_status_that_is_no_success_is_one_sentence_without_the_key(serve, monkeypatch):
    monkeypatch.setenv(KEY, "sk-secret")
    server = serve(b'{"error": {"message": "no such model sk-secret"}}', status=404)
    proposals = ask(server.url, attempts=1)
    assert "it says 404" in proposals.error
    assert "secret" not in proposals.error
    assert server.keys == ["Bearer sk-secret"]


def test_an_answer_without_end_is_not_read_on(serve):
    proposals = ask(serve(b" " * (LONGEST_ANSWER + 1)).url, attempts=1)
    assert f"more than {LONGEST_ANSWER} bytes" in proposals.error


def test_a_server_that_never_answers_is_given_up(serve):
    proposals = ask(serve(None).url, seconds=0.3)
    assert proposals.candidates == ()
    assert "must answer, but" in proposals.error


def test_an_answer_that_comes_too_late_is_not_taken(serve):
    moments = iter([0.0, 0.0, 0.0])  # all that is asked before the answer
    proposals = ask(serve(proposed(*CODES)).url, now=lambda: next(moments, 99.0), attempts=1)
    assert "takes more than" in proposals.error


@pytest.mark.usefixtures("language_server")
def test_a_refused_connection_is_one_sentence():
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/v1"
    proposals = ask(url)
    assert (proposals.candidates, proposals.malformed) == ((), 0)
    assert url in proposals.error


@pytest.mark.parametrize("url", ["", "ftp://host/v1", "http://", "host:80", "http://u:p@host/v1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValidationError, match="base_url"):
        LanguageModelConfig(base_url=url, model="small")


def test_a_key_does_not_travel_in_the_open(monkeypatch):
    monkeypatch.setenv(KEY, "sk-secret")
    with pytest.raises(LanguageModelError, match="in the open") as refused:
        LanguageModel(
            LanguageModelConfig(base_url="http://198.51.100.7/v1", model="small", key_variable=KEY)
        )
    assert "sk-secret" not in str(refused.value)
