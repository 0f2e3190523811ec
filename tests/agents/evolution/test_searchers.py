import numpy as np
import pytest

from agents.evolution.checkpoint import pack, unpack
from agents.evolution.fitness import WORST
from agents.evolution.population import Evolution, EvolutionConfig
from agents.evolution.searchers.cma_es import CmaEs
from agents.evolution.searchers.program_genetic import GeneticConfig, ProgramGenetic
from agents.evolution.searchers.selection import roulette, tournament
from agents.evolution.searchers.snes import Snes
from agents.evolution.searchers.vector_genetic import VectorGenetic
from agents.evolution.searchers.vectors import VectorConfig, embedding_space
from corpus.sonic_pi.breeding import Breeder
from corpus.sonic_pi.templating import own_templates

NUMERICAL = {
    "cma": lambda space: CmaEs(space, seed=1, batch=10),
    "snes": lambda space: Snes(space, seed=1),
    "ga": lambda space: VectorGenetic(space, VectorConfig(changed=0.2), seed=1),
}


def evolve(searcher, answers_of, fitness, generations, **config):
    evolution = Evolution(searcher, EvolutionConfig(population=20, **config))
    for _ in range(generations):
        evolution.tell(answers_of(evolution.ask(), fitness))
    evolution.close_generation()
    return evolution


@pytest.mark.parametrize("kind", NUMERICAL)
def test_numerical_searchers_come_near_a_goal(kind, space, answers_of, near_goal):
    evolution = evolve(NUMERICAL[kind](space), answers_of, near_goal, 25)
    assert evolution.best.fitness > -1.0
    assert evolution.history[0]["best"] < evolution.best.fitness - 1.0


@pytest.mark.parametrize("kind", NUMERICAL)
def test_a_searcher_put_back_asks_for_the_same_children(kind, space, answers_of, near_goal):
    evolution = evolve(NUMERICAL[kind](space), answers_of, near_goal, 3)
    state = unpack(pack(evolution.searcher.state()))
    other = NUMERICAL[kind](space)
    other.restore(state)
    expected = evolution.searcher.ask(5, evolution.population)
    for one, same in zip(expected, other.ask(5, evolution.population), strict=True):
        np.testing.assert_array_equal(one.genome.vector, same.genome.vector)


@pytest.mark.parametrize("kind", ["cma", "snes"])
def test_rank_based_searchers_do_not_mind_a_monotone_fitness(kind, space, answers_of, near_goal):
    plain = evolve(NUMERICAL[kind](space), answers_of, near_goal, 5, elites=0)
    bent = evolve(
        NUMERICAL[kind](space), answers_of, lambda g: 9 * np.tanh(near_goal(g) / 9), 5, elites=0
    )
    pairs = zip(plain.population, bent.population, strict=True)
    assert {a.genome.key == b.genome.key for a, b in pairs} == {True}


@pytest.mark.parametrize("kind", ["cma", "snes"])
def test_answers_that_come_a_generation_late_still_teach(kind, space, answers_of, near_goal):
    evolution = Evolution(NUMERICAL[kind](space), EvolutionConfig(population=20, enough=0.5))
    late = []
    for _ in range(40):
        children = evolution.ask()
        evolution.tell(late)
        answers = answers_of(children, near_goal)
        half = len(answers) // 2
        evolution.tell(answers[:half])
        late = answers[half:]
    assert evolution.n_unwanted == 0
    assert evolution.best.fitness > -1.0


@pytest.mark.parametrize("population", [4, 8, 10])
def test_cma_es_takes_answers_as_they_come_in_a_small_population(
    population, space, answers_of, near_goal
):
    searcher = CmaEs(space, seed=1, batch=population // 2)
    evolution = Evolution(searcher, EvolutionConfig(population=population))
    for _ in range(12):
        first, *others = evolution.ask()
        evolution.tell(answers_of([first], lambda _: WORST))  # it is replaced, by a question of one
        evolution.tell(answers_of([*others, *evolution.ask()], near_goal))
    evolution.close_generation()
    assert evolution.best.fitness > evolution.history[0]["best"]


@pytest.mark.parametrize("changed", [0.1, 0.5])
def test_mutation_moves_the_share_of_numbers_that_is_asked_for(changed, answers_of):
    table = np.random.default_rng(0).normal(size=(9, 50)).astype(np.float32)
    space = embedding_space(table, 4)
    searcher = VectorGenetic(space, VectorConfig(changed=changed, crossed=0), seed=1)
    evolution = Evolution(searcher, EvolutionConfig(population=40))
    evolution.tell(answers_of(evolution.ask(), lambda _: 0.5))
    evolution.close_generation()
    parents = [space.place(one.genome) for one in evolution.population]
    moved = [
        min(np.mean(np.abs(space.place(child.genome) - parent) > 1e-4) for parent in parents)
        for child in searcher.ask(100, evolution.population)
    ]
    assert np.mean(moved) == pytest.approx(changed, abs=0.02)
    assert min(moved) > 0


@pytest.mark.parametrize("kind", NUMERICAL)
def test_what_cannot_be_judged_does_not_stop_a_searcher(kind, space, answers_of, near_goal):
    def fitness(genome):
        return -10.0 if genome.vector[0] > 2.0 else near_goal(genome)

    assert evolve(NUMERICAL[kind](space), answers_of, fitness, 30).best.fitness > -2.5


@pytest.mark.parametrize("kind", ["cma", "snes"])
def test_a_state_of_another_space_is_refused(kind, space):
    table = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    state = NUMERICAL[kind](embedding_space(table, 2)).state()
    with pytest.raises(ValueError, match="a space of 6 numbers, got 8"):
        NUMERICAL[kind](space).restore(state)


def test_embedding_genomes_lie_where_the_vocabulary_lies():
    table = np.random.default_rng(0).normal(3.0, 0.5, size=(500, 4)).astype(np.float32)
    space = embedding_space(table, 3)
    genome = space.genome(np.zeros(12))
    assert genome.vector.shape == (3, 4)
    np.testing.assert_allclose(genome.vector[0], table.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(space.place(genome), 0, atol=1e-5)


def test_a_tournament_of_all_is_won_by_the_best_and_never_the_worst(individual):
    population = [individual(k, float(k)) for k in range(10)]
    rng = np.random.default_rng(0)
    assert [x.id for x in tournament(population, 10, 3, rng)] == [9, 8, 7]
    winners = [tournament(population, 4, 1, rng)[0].id for _ in range(300)]
    assert min(winners) >= 3
    assert np.mean(winners) > 6


def test_the_roulette_prefers_the_fit_and_draws_nobody_twice(individual):
    population = [individual(k, 0.1 * k) for k in range(10)]
    rng = np.random.default_rng(0)
    drawn = [roulette(population, 3, rng, 0.15) for _ in range(300)]
    assert all(len({x.id for x in some}) == 3 for some in drawn)
    first = [some[0].id for some in drawn]
    assert first.count(9) > 5 * max(1, first.count(0))


@pytest.fixture(scope="module")
def breeder():
    return Breeder(own_templates(), 3.0)


def test_genetic_search_on_programs_finds_faster_ones(breeder, answers_of):
    def fitness(genome):  # more sounds in three seconds
        return len(breeder._unroller.unroll(genome.text, 3.0).events) / 50

    searcher = ProgramGenetic(breeder, GeneticConfig(), seed=2)
    evolution = evolve(searcher, answers_of, fitness, 6)
    assert evolution.population[-1].fitness > evolution.history[0]["median"]
    kinds = {x.operator for x in evolution.population}
    assert {"cross", "mutate"} <= kinds
    assert all(breeder.plays(x.genome.text) for x in evolution.population)


def test_genetic_search_on_programs_is_put_back_exactly(breeder, individual):
    population = [
        individual(k, float(k), breeder.novel(np.random.default_rng(k))) for k in range(6)
    ]
    one = ProgramGenetic(breeder, seed=3)
    one.ask(4, population)
    other = ProgramGenetic(breeder, seed=99)
    other.restore(unpack(pack(one.state())))
    texts = [[p.genome.text for p in x.ask(6, population)] for x in (one, other)]
    assert texts[0] == texts[1]
