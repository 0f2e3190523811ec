"""The table of ranking on a small scenario, really rendered, and its parts on made-up figures."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from agents.code_ranking.diversity import most_distinct
from agents.code_ranking.judgement import Judgement
from agents.code_ranking.prediction import stored_predictor
from corpus.sonic_pi.install import SonicPiMissingError
from corpus.sonic_pi.scenarios import Scenario
from launch import rank_asked, rank_measure, rank_pictures, rank_scenarios, rank_table, rank_unseen
from launch.alignment_material import Material
from launch.rank_page import print_tables, write_page
from launch.rank_truths import true_distances
from models.audio_embedding import distances_between
from models.metrics.intervals import Estimate
from models.modulation_embedding import MODULATION_DIM
from models.sound_descriptors import DESCRIPTION_DIM
from models.text_embedding import TextEmbeddingConfig

CANDIDATES = (
    "play 60, release: 2\n",
    "play 61, release: 2\n",
    "sample :loop_amen\n",
    "use_synth :noise\n4.times do\nplay 90, release: 0.1\nsleep 0.5\nend\n",
)
SCENARIO = Scenario("small", "melody", "mixed", "Propose", "sample :bd_haus\n", CANDIDATES)


class LetterCounts:
    """Stands in for a text encoder: how often each letter occurs."""

    def __init__(self, config):
        del config

    def embed(self, programs):
        counts = [[program.count(chr(c)) for c in range(32, 122)] for program in programs]
        return np.array(counts, dtype=np.float32)


@pytest.fixture(scope="module")
def rendered(needs_sonic_pi, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranking")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rank_scenarios, "SECONDS", 4.0)
        told = []
        counts = rank_scenarios.render_scenarios(
            [SCENARIO], folder, on_progress=lambda done, total: told.append((done, total))
        )
        assert counts["kept"] == 4
        assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
        yield folder


@pytest.fixture
def sounds(rendered, monkeypatch):
    monkeypatch.setattr(rank_scenarios, "TextEmbedding", LetterCounts)
    monkeypatch.setattr("launch.alignment_material.TextEmbedding", LetterCounts)
    return rank_scenarios.load_scenarios([SCENARIO], rendered, TextEmbeddingConfig())


def training(n=24, seed=0):
    rng = np.random.default_rng(seed)
    programs = np.array([f"program {i % 6}" for i in range(n)])
    sound = rng.normal(size=(n, DESCRIPTION_DIM)).astype(np.float32)
    modulation = rng.normal(size=(n, MODULATION_DIM)).astype(np.float32)
    text = rng.normal(size=(n, 90)).astype(np.float32)
    return Material(programs, text, sound + 0.1, sound - 0.1, sound, modulation)


def test_nothing_is_rendered_twice(rendered, monkeypatch):
    monkeypatch.setattr(rank_scenarios, "RendererPool", None)
    assert rank_scenarios.render_scenarios([SCENARIO], rendered)["kept"] == 4


def test_every_method_is_judged_and_what_was_heard_ranks_best(sounds, monkeypatch):
    assert [each.kept for each in sounds] == [(0, 1, 2, 3)]
    short = rank_scenarios.PAPER_MODEL.model_copy(update={"epochs": 1})
    monkeypatch.setattr(rank_scenarios, "PAPER_MODEL", short)
    truths = true_distances(sounds, training())
    methods = rank_scenarios.method_distances(sounds, training(), n_runs=2)
    run = rank_scenarios.run_cascade(sounds[0], (3, 4))
    methods["heard"] = [[run.heard]]
    assert len(methods["paper's model, candidate"]) == 2
    assert all(each.shape == (4, 4) for runs in methods.values() for each in runs[0])
    judged = rank_scenarios.judge_scenarios(methods, truths["own"])
    assert judged["heard"][0].spearman > 0.9
    assert judged["static"][0].overlap >= 2 / 3
    by_budget = rank_scenarios.judge_cascade([run], truths["own"])
    assert by_budget[4][0].capture >= by_budget[3][0].capture
    best = most_distinct(run.heard, 3, np.random.default_rng(0))
    assert sorted(run.chosen[4]) == list(best)


def test_distances_to_the_context_bound_those_between_candidates():
    real = np.array([[0, 5, 2, 1], [5, 0, 4, 3], [2, 4, 0, 9], [1, 3, 9, 0]], dtype=float)
    apart = rank_asked.apart_from_context(real)
    assert apart.tolist() == [[0, 1, 1], [1, 0, 3], [1, 3, 0]]


def test_the_question_of_the_product_is_judged_on_the_sounds_that_it_is_about(
    rendered, monkeypatch
):
    monkeypatch.setattr(rank_scenarios, "SECONDS", 4.0)
    monkeypatch.setattr(rank_scenarios, "TextEmbedding", LetterCounts)
    monkeypatch.setattr("launch.alignment_material.TextEmbedding", LetterCounts)
    scenario = replace(SCENARIO, context="use_synth :fm\nsample :bd_haus\n")
    (asked,) = rank_asked.as_asked([scenario])
    assert asked.candidates[0] == "use_synth :fm\n\nplay 60, release: 2\n"
    assert asked.candidates[-1] == scenario.context
    rank_scenarios.render_scenarios([asked], rendered)
    sounds = rank_scenarios.load_scenarios([asked], rendered, TextEmbeddingConfig())
    choice = rank_asked.ask_cascade(scenario, sounds[0], (0, 4))
    space = stored_predictor().space
    heard = distances_between(space.embed(sounds[0].heard))
    best = most_distinct(heard[:-1, :-1], 3, np.random.default_rng(0), to_context=heard[:-1, -1])
    assert sorted(choice[4]) == list(best)
    judged = rank_asked.judge_asked(sounds, [choice], [heard])
    assert judged["cascade, 4 heard"][0].capture == 1.0
    assert judged["cascade, 4 heard"][0].overlap == 1.0
    assert judged["static"][0].spearman > 0.5
    assert judged["chance"][0].overlap == 0.75


def test_no_renders_are_refused_with_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no data set"):
        rank_scenarios.load_scenarios([SCENARIO], tmp_path, TextEmbeddingConfig())


def test_programs_left_out_are_foreseen_by_a_view_that_knows_them(monkeypatch):
    monkeypatch.setattr(rank_unseen, "N_FOLDS", 2)
    for model in ("PAPER_MODEL", "RETRIEVAL"):
        short = getattr(rank_unseen, model).model_copy(update={"epochs": 1})
        monkeypatch.setattr(rank_unseen, model, short)
    material = training(40)
    codes = tuple(f"play {60 + i}\nsleep 1" for i in range(40))
    figures = rank_unseen.on_programs_left_out(
        rank_unseen.Programs(material, codes, tuple(() for _ in codes))
    )
    assert figures["sketch, not trained"].spearman.value > 0.95
    assert figures["sketch, not trained"].code_to_audio.value == 1.0
    assert abs(figures["text embedding"].spearman.value) < 0.4
    assert figures["static"].chance_r10 == pytest.approx(10 / 20)
    assert figures["events"].code_to_audio is None
    assert figures["sketch, not trained"].spaces["audio_to_code_median_rank"] == 1.0
    assert figures["sketch, not trained"].spaces["cka"] > 0.9
    assert figures["syntax trees"].spaces == {}


def test_values_become_tables_a_page_and_pictures():
    rng = np.random.default_rng(0)
    scenarios = [
        Scenario("s1-mel-10", "melody", "paper", "p", "c", ("a", "b", "c")),
        SCENARIO,
    ]
    judged = {
        name: [Judgement(*rng.random(5)) for _ in scenarios]
        for name in ("chance", "text embedding, candidate", "paper's model, candidate", "static",
                     "runtime events", "cascade, 5 heard")
    }  # fmt: skip
    groups = rank_measure.scenario_values(judged, scenarios)
    assert set(groups) == {"all", "paper", "melody", "mixed"}
    assert groups["all"]["static"]["capture"][0] == pytest.approx(
        np.mean([each.capture for each in judged["static"]])
    )
    budget = {"5": groups["all"]["static"]}
    unseen = {
        "static": rank_unseen.UnseenFigures(
            Estimate(0.8, 0.7, 0.9), Estimate(0.7, 0.6, 0.8), spaces={"code_to_audio_r5": 0.625}
        )
    }
    values = {
        "scenarios": {
            "count": 2,
            "truths": {"own": groups, "independent": groups},
            "cascade": {"own": budget, "independent": budget},
            "paper's table": rank_measure.paper_values(
                {"static": [[each] for each in judged["static"]]}, scenarios
            ),
            "three or ten": {"s1-mel": {"three asked for": 1.0}},
        },
        "as asked": {"count": 2, "truths": {"own": groups["all"]}},
        "programs left out": rank_measure.unseen_values(unseen),
        "paper's setting": rank_measure.grid_values(
            {"21": [{"configuration": 21, "run": 0, "cka": 0.5, "cka_floor": 0.1}]}
        ),
    }
    console = Console(file=StringIO(), width=200)
    print_tables(values, console)
    printed = console.file.getvalue()
    assert "0.80 (0.70..0.90)" in printed
    assert "0.500 ± 0.000" in printed
    assert "As asked: 2 scenarios" in printed
    assert "0.625" in printed
    page = write_page(values, rank_pictures.of_scenarios(values["scenarios"]))
    assert page.count("data:image/png;base64,") == 2
    assert "paper&#x27;s model, candidate" in page


def test_without_sonic_pi_the_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    def missing(*_):
        raise SonicPiMissingError("rendering needs sonic-pi-server; install with: apt-get")

    monkeypatch.setattr(rank_scenarios, "RendererPool", missing)
    assert rank_table.main(["--data", str(tmp_path)]) == 2
    assert "install with" in capsys.readouterr().err
    assert not Path(tmp_path / "table.json").exists()


def test_what_is_not_a_number_is_null_in_the_file():
    values = {"a": [1.0, float("nan")], "b": {5: (float("inf"), "text", None)}}
    assert rank_table._finite(values) == {"a": [1.0, None], "b": {"5": [None, "text", None]}}


@pytest.mark.parametrize("option", ["--renders", "--runs", "--workers"])
def test_numbers_that_measure_nothing_are_refused_before_anything_is_done(tmp_path, capsys, option):
    with pytest.raises(SystemExit, match="2"):
        rank_table.main(["--data", str(tmp_path / "data"), option, "0"])
    assert f"{option}: must be at least 1, got 0" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_file_in_place_of_the_data_folder_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "data").write_text("")
    assert rank_table.main(["--data", str(tmp_path / "data")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ")
    assert str(tmp_path / "data") in said
    assert "Errno" not in said
