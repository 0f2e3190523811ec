"""Language models as searchers, against a real server of the protocol on this machine."""

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
def model(language_server):
    def make(**values):
        config = LanguageModelConfig(base_url=language_server.url, model="m", **values)
        return Adviser(LanguageModel(config))

    return make


@pytest.fixture
def population(individual):
    prompts = TextPrompts()
    rng = np.random.default_rng(0)
    from agents.evolution.genome import Genome

    return [
        individual(k, 1 - 0.2 * k, genome=Genome("prompt", prompts.novel(rng))) for k in range(10)
    ]


def test_full_llm_shows_the_best_first_and_takes_what_it_writes(language_server, model, population):
    language_server.says = lambda _: (
        "thinking... </think>"
        + "".join(f"<prompt>calm piece number {k} with harp</prompt>" for k in range(20))
    )
    searcher = FullLlm(TextPrompts(), model(), FullLlmConfig(shown=3))
    children = searcher.ask(10, population)
    assert len(children) == 10
    assert sum(child.operator == "written" for child in children) == 9
    question = language_server.asked[0]["messages"][1]["content"]
    assert "1. score 100: " + population[0].genome.text in question
    assert population[9].genome.text not in question
    assert searcher.counts["by the model"] == 9


@pytest.mark.parametrize("prompt", FULL)
def test_all_three_prompts_of_full_llm_are_asked(prompt, language_server, model, population):
    language_server.says = lambda _: "<prompt>a warm folk piece</prompt>"
    FullLlm(TextPrompts(), model(), FullLlmConfig(prompt=prompt)).ask(10, population)
    system, question = (one["content"] for one in language_server.asked[0]["messages"])
    assert "<prompt>" in system
    assert "9 new texts" in question


def test_llm_evolve_crosses_two_and_makes_three_of_one(language_server, model, population):
    language_server.says = lambda n: "".join(
        f"<prompt>child {n} of {k} with violin</prompt>" for k in range(1 if n % 2 else 3)
    )
    searcher = LlmEvolve(TextPrompts(), model(), LlmEvolveConfig(novel=0.0))
    children = searcher.ask(6, population)
    assert [child.operator for child in children] == ["cross, mutate"] * 6
    assert len(language_server.asked) == 4
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
    kind, answer, language_server, model, population
):
    language_server.says = lambda _: answer
    searcher = kind(TextPrompts(), model(attempts=1))
    children = searcher.ask(8, population)
    assert len(children) == 8
    assert all(TextPrompts().is_valid(child.genome.text) for child in children)
    assert searcher.counts["without a model"] >= 7
    assert searcher.counts["malformed"] + searcher.counts["unanswered"] >= 1


def test_a_model_that_never_answers_is_given_up_after_a_few_tries(
    language_server, model, population
):
    language_server.says = lambda _: None
    silent = model(seconds=0.1)
    searcher = LlmEvolve(TextPrompts(), silent)
    assert len(searcher.ask(12, population)) == 12
    assert len(language_server.asked) == silent.n_asked == MOST_FAILURES
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


def test_children_beyond_those_asked_for_are_not_malformed(language_server, model, population):
    language_server.says = lambda _: "".join(
        f"<prompt>calm piece number {k}</prompt>" for k in range(5)
    )
    searcher = LlmEvolve(TextPrompts(), model(), LlmEvolveConfig(novel=0, mutated=0))
    searcher.ask(1, population)
    assert searcher.counts["by the model"] == 1
    assert searcher.counts["malformed"] == 0


def test_texts_that_live_already_are_not_malformed_and_not_written_again(
    language_server, model, population
):
    known = population[0].genome.text
    language_server.says = lambda _: (
        f"<prompt>{known}</prompt><prompt>a calm piece with harp</prompt>"
    )
    searcher = FullLlm(TextPrompts(), model(), FullLlmConfig(novel=0))
    texts = [one.genome.text for one in searcher.ask(2, population) if one.operator == "written"]
    assert texts == ["a calm piece with harp"]
    assert (searcher.counts["by the model"], searcher.counts["malformed"]) == (1, 0)
