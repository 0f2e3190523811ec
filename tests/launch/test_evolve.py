import csv
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from agents.evolution.checkpoint import RunLock, load_checkpoint, save_checkpoint
from agents.evolution.fitness import WORST, Judgement
from agents.evolution.genome import Genome, Individual
from launch import evolve_run
from launch.config import PROJECT_ROOT
from launch.evolve import DEFAULT_CONFIG, main, read_evolve_config
from launch.evolve_crew import InProcessCrew
from launch.evolve_page import said_of_texts
from launch.evolve_run import Run

ROOT = Path(__file__).parents[2]
TINY = (
    "seconds=0.6", "taste.catalogue=24", "taste.listeners=20", "taste.playlist=2",
    "taste.first_ratings=4", "evolution.population=4", "evolution.candidates=2", "generations=2",
    "workers=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(cache):
    def make(out, *settings):
        arguments = ["--config", str(ROOT / "configs/evolution.yaml"), "--out", str(out)]
        for setting in (*TINY, f"cache={cache}", *settings):
            arguments += ["--set", setting]
        return arguments

    return make


@pytest.fixture(scope="module")
def finished(cache, tmp_path_factory):
    """A run of two generations that renders every child."""
    out = tmp_path_factory.mktemp("run")
    arguments = ["--config", str(ROOT / "configs/evolution.yaml"), "--out", str(out)]
    for setting in (*TINY, f"cache={cache}", "surrogate=false"):
        arguments += ["--set", setting]
    assert main(arguments) == 0
    return out


def history(out):
    with (out / "history.csv").open() as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def same(rows, others):
    """Whether two histories are one, but for the rounding of batches of another size."""
    return len(rows) == len(others) and all(
        row == pytest.approx(other, abs=1e-4) for row, other in zip(rows, others, strict=True)
    )


def test_a_run_leaves_curves_and_the_living_to_listen_to(finished):
    page = (finished / "index.html").read_text()
    clips = sorted((finished / "clips").glob("*.flac"))
    assert 1 <= len(clips) <= 4
    assert page.count("<audio ") == len(clips)
    assert "live_loop" in page
    samples, rate = soundfile.read(clips[0])
    assert samples.shape == (round(0.6 * rate),)
    rows = history(finished)
    assert [row["generation"] for row in rows] == [0, 1]
    for name in ("best", "mean", "median", "best taste", "best true", "best second"):
        assert name in rows[-1]
    assert "<svg" in (finished / "curves.svg").read_text()


def test_a_run_stopped_between_generations_goes_on_to_the_same_end(finished, command, tmp_path):
    out = tmp_path / "run"
    assert main(command(out, "surrogate=false", "generations=1")) == 0
    assert main(command(out, "surrogate=false")) == 0
    assert same(history(out), history(finished))


@pytest.mark.parametrize("mode", ["user", "music"])
def test_with_a_surrogate_a_quarter_is_rendered(command, tmp_path, mode):
    assert main(command(tmp_path / "run", f"mode={mode}", "surrogate=true")) == 0
    assert [row["evaluated"] for row in history(tmp_path / "run")] == [1, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_run_loses_nothing_and_goes_on_to_the_same_end(
    finished, command, tmp_path, monkeypatch, capsys, number
):
    out = tmp_path / "run"
    judge = Run.evaluate

    def interrupted(run, children):
        os.kill(os.getpid(), number)
        return judge(run, children[:2]) if len(children) > 2 else judge(run, children)

    monkeypatch.setattr(Run, "evaluate", interrupted)
    assert main(command(out, "surrogate=false")) == 130
    assert "stopped; the same command goes on from here" in capsys.readouterr().err
    state = load_checkpoint(out / "evolution.checkpoint")["evolution"]
    assert (state["generation"], len(state["judged"]), len(state["waiting"])) == (0, 2, 2)
    monkeypatch.undo()
    assert main(command(out, "surrogate=false")) == 0
    assert same(history(out), history(finished))


@pytest.mark.ray
def test_ray_workers_come_to_the_same_end(finished, command, tmp_path):
    out = tmp_path / "run"
    assert main(command(out, "surrogate=false", "workers=2", "priority=normal")) == 0
    assert same(history(out), history(finished))


def test_a_cache_named_on_the_command_line_lies_where_it_was_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    typed = read_evolve_config(DEFAULT_CONFIG, ["cache=mine"], tmp_path)
    assert typed.cache == tmp_path / "mine"
    assert read_evolve_config(DEFAULT_CONFIG, [], tmp_path).cache.is_relative_to(PROJECT_ROOT)


def refused(arguments, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) <= 3, said
    return said


def test_another_config_is_not_resumed_into(finished, command, capsys):
    assert "seed differ" in refused(command(finished, "surrogate=false", "seed=5"), capsys)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda state: state.pop("config"), "it lacks config"),
        (lambda state: state["config"].update(tempo=90), "but tempo differ"),
        (lambda state: state.update(taste="another"), "this taste model, but it was trained anew"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    finished, command, tmp_path, capsys, spoil, said
):
    state = load_checkpoint(finished / "evolution.checkpoint")
    spoil(state)
    (tmp_path / "run").mkdir()
    save_checkpoint(tmp_path / "run/evolution.checkpoint", state)
    assert said in refused(command(tmp_path / "run", "surrogate=false"), capsys)


def test_what_can_be_refused_is_refused_before_the_catalogue_is_made(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(evolve_run, "MadeUpWorld", lambda *_: pytest.fail("it was made"))
    out = tmp_path / "run"
    surrogate = ("surrogate=true", "foresight.alignment=/nowhere")
    assert "/nowhere" in refused(command(out, *surrogate), capsys)
    search = ("search.kind=cma-es", "search.program=/nowhere.rb")
    assert "/nowhere.rb" in refused(command(out, *search), capsys)


def test_a_program_to_search_that_does_not_parse_is_refused(command, tmp_path, capsys):
    (tmp_path / "bad.rb").write_text("play 60\nsleep 1\n)) end")
    search = ("search.kind=cma-es", f"search.program={tmp_path / 'bad.rb'}")
    assert "line 3 of" in refused(command(tmp_path / "run", *search), capsys)


def test_a_run_says_that_no_language_model_was_asked(command, tmp_path, capsys):
    out, search = tmp_path / "run", ("search.kind=llm-evolve", "generations=1")
    assert main(command(out, "surrogate=false", "mode=user", *search)) == 0
    assert "no language model was asked" in capsys.readouterr().err
    assert "no language model was asked" in (out / "index.html").read_text()


def test_who_wrote_the_texts_is_counted():
    counts = {"answered": 2, "unanswered": 1, "by the model": 5, "malformed": 3}
    [said] = said_of_texts({"counts": counts})
    assert "2 questions answered, 1 not; 5 texts by the model, 3 malformed, 0 by operators" in said
    assert said_of_texts({"rng": "…"}) == []


def test_the_config_that_comes_with_the_project_is_found_from_anywhere(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert "mode must be" in refused(["--set", "mode=everyone"], capsys)


def test_children_reach_the_generator_several_at_a_time():
    """Checklist A3, defect 7: clips were generated one by one."""
    calls = []

    def generate(conditions, seconds, seeds):
        calls.append((conditions, seconds, seeds))
        return [np.zeros(0, np.float32) for _ in conditions]

    def judge(clips, _):
        return [Judgement("", WORST, 0.0, 1.0, None, None, None) for _ in clips]

    world = SimpleNamespace(fitness=SimpleNamespace(judge=judge), extras=lambda _: {})
    generator = SimpleNamespace(generate=generate, sample_rate=8000)
    children = [Individual(k, Genome("program", f"play {k}"), 0, seed=10 + k) for k in range(6)]
    answers = InProcessCrew(generator, world, 2.0).evaluate(children, lambda: False)
    assert [one.id for one in answers] == [0, 1, 2, 3, 4, 5]
    assert calls[0] == (["play 0", "play 1", "play 2", "play 3"], 2.0, [10, 11, 12, 13])
    assert len(calls) == 2


def test_a_checkpoint_of_another_version_is_refused(finished, command, tmp_path, capsys):
    state = load_checkpoint(finished / "evolution.checkpoint")
    state["evolution"]["version"] = 99
    (tmp_path / "run").mkdir()
    save_checkpoint(tmp_path / "run/evolution.checkpoint", state)
    said = refused(command(tmp_path / "run", "surrogate=false"), capsys)
    assert "version 1, got 99" in said


def test_two_evolutions_in_one_folder_are_refused(finished, command, capsys):
    with RunLock(finished):
        assert "one evolution at a time" in refused(command(finished), capsys)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["mode=everyone"], "mode"),
        (["generator.kind=musicgen", "mode=user"], "a folder of weights, or a hub id"),
        (["generator.kind=audiocraft", "mode=user"], "must be an interpreter that has audiocraft"),
        (
            ["generator.kind=audiocraft", "mode=user", f"generator.python={sys.executable}"],
            "audiocraft-debug",
        ),
        (["generator.kind=musicgen"], "rates the notes of Sonic Pi programs, and musicgen plays"),
        (["mode=music", "taste.piece=/nowhere.wav"], "taste.piece must come with taste.model"),
        (["taste.songs=/nowhere"], "taste.songs must come with taste.model"),
        (["taste.feedback=/nowhere"], "taste.feedback must come with taste.model"),
        (["taste.model=/nowhere", "taste.feedback=/nowhere"], "antiphon feedback --store` makes"),
        (["taste.user=4"], "one of 4 listeners, 0..3, got 4"),
        (["taste.model=/nowhere.safetensors"], "needs taste.songs"),
        (["taste.dataset=/nowhere"], "holds no data set"),
        (["evolution.population=1"], "population"),
        (["address=stage:6379"], "must be an IP address of this machine and a port"),
        (["foresight.alignment=/nowhere", "surrogate=true"], "/nowhere"),
        (["nonsense=1"], '"nonsense" is not a known setting'),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(settings, said, command, tmp_path, capsys):
    assert said in refused(command(tmp_path / "run", *settings), capsys)


def test_the_surrogate_may_read_events_instead_of_code(command, tmp_path):
    assert (
        main(command(tmp_path / "run", "mode=user", "surrogate=true", "foresight.view=events")) == 0
    )
    assert [row["evaluated"] for row in history(tmp_path / "run")] == [1, 2]
