"""Language models as searchers, against a real server of the protocol on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from agents.evolution.adviser import MOST_FAILURES, Adviser, tagged
from agents.evolution.checkpoint import pack, unpack
from agents.evolution.searchers.full_llm import FullLlm, FullLlmConfig
from agents.evolution.searchers.llm_evolve import LlmEvolve, LlmEvolveConfig
from agents.evolution.searchers.prompts import FULL
from agents.evolution.text_prompts import TextPrompts
from models.language_model import LanguageModel, LanguageModelConfig


@pytest.fixture
def server():
    """Answers with what `server.says` makes of a question; keeps the questions."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.questions.append([message["content"] for message in body["messages"]])
            said = made.says(len(made.questions))
            if said is None:
                made.released.wait(10)
                return
            data = said if isinstance(said, bytes) else _completion(said)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.questions, made.released = [], threading.Event()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.released.set()
    made.shutdown()
    made.server_close()


def _completion(text):
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    ).encode()


@pytest.fixture
def model(server):
    def make(**values):
        url = f"http://127.0.0.1:{server.server_port}/v1"
        return Adviser(LanguageModel(LanguageModelConfig(base_url=url, model="m", **values)))

    return make


@pytest.fixture
def population(individual):
    prompts = TextPrompts()
    rng = np.random.default_rng(0)
    from agents.evolution.genome import Genome

    return [
        individual(k, 1 - 0.2 * k, genome=Genome("prompt", prompts.novel(rng))) for k in range(10)
    ]


def test_full_llm_shows_the_best_first_and_takes_what_it_writes(server, model, population):
    server.says = lambda _: (
        "thinking... </think>"
        + "".join(f"<prompt>calm piece number {k} with harp</prompt>" for k in range(20))
    )
    searcher = FullLlm(TextPrompts(), model(), FullLlmConfig(shown=3))
    children = searcher.ask(10, population)
    assert len(children) == 10
    assert sum(child.operator == "written" for child in children) == 9
    question = server.questions[0][1]
    assert "1. score 100: " + population[0].genome.text in question
    assert population[9].genome.text not in question
    assert searcher.counts["by the model"] == 9


@pytest.mark.parametrize("prompt", FULL)
def test_all_three_prompts_of_full_llm_are_asked(prompt, server, model, population):
    server.says = lambda _: "<prompt>a warm folk piece</prompt>"
    FullLlm(TextPrompts(), model(), FullLlmConfig(prompt=prompt)).ask(10, population)
    system, question = server.questions[0]
    assert "<prompt>" in system
    assert "9 new texts" in question


def test_llm_evolve_crosses_two_and_makes_three_of_one(server, model, population):
    server.says = lambda n: "".join(
        f"<prompt>child {n} of {k} with violin</prompt>" for k in range(1 if n % 2 else 3)
    )
    searcher = LlmEvolve(TextPrompts(), model(), LlmEvolveConfig(novel=0.0))
    children = searcher.ask(6, population)
    assert [child.operator for child in children] == ["cross, mutate"] * 6
    assert len(server.questions) == 4
    assert searcher.counts["by the model"] == 2 + 6
    assert searcher.counts["without a model"] == 0


NONSENSE = {
    "no tags": "I would rather not.",
    "empty": "",
    "not a completion": b"[]",
    "no json": b"<html>",
    "only garbage in tags": "<prompt>?</prompt>",
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("kind", [FullLlm, LlmEvolve])
def test_nonsense_is_counted_and_operators_without_a_model_take_over(
    kind, answer, server, model, population
):
    server.says = lambda _: answer
    searcher = kind(TextPrompts(), model(attempts=1))
    children = searcher.ask(8, population)
    assert len(children) == 8
    assert all(TextPrompts().is_valid(child.genome.text) for child in children)
    assert searcher.counts["without a model"] >= 7
    assert searcher.counts["malformed"] + searcher.counts["unanswered"] >= 1


def test_a_model_that_never_answers_is_given_up_after_a_few_tries(server, model, population):
    server.says = lambda _: None
    silent = model(seconds=0.1)
    searcher = LlmEvolve(TextPrompts(), silent)
    assert len(searcher.ask(12, population)) == 12
    assert len(server.questions) == silent.n_asked == MOST_FAILURES
    assert silent.has_given_up
    assert sum(silent.failures.values()) == MOST_FAILURES


def test_a_searcher_without_a_model_is_put_back_exactly(population):
    one, other = LlmEvolve(TextPrompts(), seed=1), LlmEvolve(TextPrompts(), seed=2)
    one.ask(5, population)
    other.restore(unpack(pack(one.state())))
    assert [c.genome.text for c in one.ask(9, population)] == [
        c.genome.text for c in other.ask(9, population)
    ]


def test_one_missing_tag_does_not_spoil_an_answer():
    answer = (
        "<think><prompt>no</prompt></think><prompt>one <prompt>two</prompt> <prompt>one</prompt>"
    )
    assert tagged(answer) == ["one", "two"]


def test_prompts_without_a_model_stay_phrases_and_change_little():
    prompts, rng = TextPrompts(), np.random.default_rng(0)
    for _ in range(200):
        one, other = prompts.novel(rng), prompts.novel(rng)
        child, mutant = prompts.crossed(one, other, rng), prompts.mutated(one, rng)
        assert prompts.is_valid(child)
        assert child != one
        assert mutant != one
        assert len(set(mutant.split()) ^ set(one.split())) <= 6


def test_children_beyond_those_asked_for_are_not_malformed(server, model, population):
    server.says = lambda _: "".join(f"<prompt>calm piece number {k}</prompt>" for k in range(5))
    searcher = LlmEvolve(TextPrompts(), model(), LlmEvolveConfig(novel=0, mutated=0))
    searcher.ask(1, population)
    assert searcher.counts["by the model"] == 1
    assert searcher.counts["malformed"] == 0
