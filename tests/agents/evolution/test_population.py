import numpy as np
import pytest

from agents.evolution.checkpoint import pack, unpack
from agents.evolution.fitness import WORST
from agents.evolution.genome import Genome, Individual
from agents.evolution.population import Evolution, EvolutionConfig
from agents.evolution.searchers.vector_genetic import VectorGenetic


@pytest.fixture
def evolution(space):
    def make(surrogate=None, **config):
        return Evolution(
            VectorGenetic(space, seed=1), EvolutionConfig(population=20, **config), surrogate
        )

    return make


def run(evolution, answers_of, fitness, generations):
    for _ in range(generations):
        evolution.tell(answers_of(evolution.ask(), fitness))
    evolution.close_generation()
    return evolution


def test_fitness_rises_and_the_best_is_never_lost(evolution, answers_of, near_goal):
    one = run(evolution(), answers_of, near_goal, 25)
    best = [row["best"] for row in one.history]
    assert best == sorted(best)
    assert best[-1] > best[0] + 1.0
    assert one.population[0].fitness == one.best.fitness == best[-1]


def test_elites_are_the_best_and_not_a_sample(evolution, answers_of, near_goal):
    one = evolution(elites=0.2)
    one.tell(answers_of(one.ask(), near_goal))
    ids = [child.id for child in one.population] or None
    assert ids is None
    children = one.ask()
    kept = sorted(one.hall, key=lambda x: -x.fitness)[:4]
    assert [x.id for x in one.population[:4]] == [x.id for x in kept]
    assert len(children) == 16


def test_a_child_is_handed_out_once(evolution):
    one = evolution()
    first = one.ask(5)
    assert not {x.id for x in one.ask()} & {x.id for x in first}
    assert one.ask() == []


def test_a_late_answer_still_counts(evolution, answers_of, near_goal):
    one = evolution(enough=0.9)
    children = one.ask()
    one.tell(answers_of(children[2:], near_goal))
    assert one.is_complete
    one.ask()
    assert one.generation == 1
    late = answers_of(children[:2], lambda _: 5.0)
    assert len(one.tell(late)) == 2
    assert one.best.fitness == 5.0
    assert one.n_evaluated == 20


def test_answers_nobody_asked_for_are_counted_and_passed_over(evolution, answers_of, near_goal):
    one = evolution()
    told = answers_of(one.ask(), near_goal)
    one.tell(told)
    assert one.tell(told) == []
    assert one.n_unwanted == 20


def test_what_cannot_be_judged_is_counted_and_kept_out_of_the_means(evolution, answers_of):
    one = evolution()
    children = one.ask()
    bad = {child.genome.key for child in children[:5]}
    one.tell(answers_of(children, lambda genome: WORST if genome.key in bad else 1.0))
    row = one.close_generation()
    assert row["failed"] == 5
    assert row["mean"] == row["best"] == 1.0


def test_a_child_that_could_not_be_made_is_replaced_but_not_for_ever(evolution, answers_of):
    one = evolution()
    asked = 0
    while children := one.ask():
        asked += len(children)
        one.tell(answers_of(children, lambda _: WORST))
        if one.is_complete:
            break
    assert asked == 40
    assert one.close_generation()["failed"] == 40


def test_every_child_has_a_seed_of_its_own(evolution):
    assert len({child.seed for child in evolution().ask()}) == 20


def test_an_evolution_put_back_goes_on_the_same(evolution, answers_of, near_goal):
    straight = run(evolution(), answers_of, near_goal, 6)
    stopped = evolution()
    for _ in range(3):
        stopped.tell(answers_of(stopped.ask(), near_goal))
    resumed = evolution()
    resumed.restore(unpack(pack(stopped.state())))
    run(resumed, answers_of, near_goal, 3)
    assert resumed.history == straight.history
    assert [x.genome.key for x in resumed.population] == [x.genome.key for x in straight.population]


def test_children_in_flight_are_asked_again_after_a_restart(evolution, answers_of, near_goal):
    stopped = evolution()
    children = stopped.ask()
    stopped.tell(answers_of(children[:12], near_goal))
    resumed = evolution()
    resumed.restore(unpack(pack(stopped.state())))
    assert {x.id for x in resumed.ask()} == {x.id for x in children[12:]}


def test_a_state_of_another_version_or_searcher_is_refused(evolution):
    state = evolution().state()
    with pytest.raises(ValueError, match="version 1, got 7"):
        evolution().restore({**state, "version": 7})
    with pytest.raises(ValueError, match="searcher 'vector genetic', got one of 'snes'"):
        evolution().restore({**state, "searcher": "snes"})


def test_all_are_judged_again_when_the_listener_changes(evolution, answers_of, near_goal):
    one = run(evolution(), answers_of, near_goal, 2)
    from dataclasses import replace

    worst = one.population[-1]
    one.judge_again(lambda judged: replace(judged, fitness=-judged.fitness))
    assert one.population[0].id == worst.id
    assert one.best.fitness == max(x.fitness for x in one.hall)


class Oracle:
    """A surrogate that knows: only to see who is rendered."""

    def __init__(self, fitness):
        self.fitness, self.learned = fitness, 0

    def estimate(self, genomes):
        return [float(self.fitness(genome)) for genome in genomes]

    def learn(self, judged):
        self.learned += len(judged)
        return {"right": 1.0}

    def state(self):
        return {}

    def restore(self, state):
        pass


def test_with_a_surrogate_a_quarter_is_rendered_and_mostly_the_promising(
    evolution, answers_of, near_goal
):
    oracle = Oracle(near_goal)
    one = evolution(oracle, explored=0.2)
    children = one.ask()
    assert len(children) == 5
    blind = [x for x in children if x.operator.endswith("blind")]
    assert len(blind) == 1
    chosen = [x.estimate for x in children if x not in blind]
    assert min(chosen) > blind[0].estimate
    one.tell(answers_of(children, near_goal))
    assert one.close_generation()["right"] == 1.0
    assert oracle.learned == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "program"}, "must have text"),
        ({"kind": "vector"}, "must have a vector"),
        ({"kind": "vector", "vector": np.array([np.nan])}, "must be finite"),
    ],
)
def test_a_genome_without_substance_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Genome(**values)


def test_an_individual_comes_back_from_plain_data(individual):
    one = individual(3, 0.5, parents=(1, 2), extras={"true": 1.0})
    back = Individual.from_plain(unpack(pack(one.plain())))
    assert back.judgement == one.judgement
    assert (back.id, back.parents, back.extras) == (3, (1, 2), {"true": 1.0})
    assert back.genome.key == one.genome.key


def test_unjudged_individuals_have_no_fitness():
    with pytest.raises(RuntimeError, match="must be judged before"):
        _ = Individual(0, Genome("prompt", "x"), 0).fitness
