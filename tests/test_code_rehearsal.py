"""Code ranking beside a rehearsal of the twins: same code, same ranking, and the music unmoved."""

import json
import threading

import pytest

from actors.fast_band import FastBand
from actors.journal import JournalReader
from actors.report.report import report_from_run
from agents.messages import CodeRanked, CodeRequest

CONTEXT = "use_bpm 100\nlive_loop :drums do\n  sample :bd_haus\n  sleep 1\nend\n"
CANDIDATES = {
    "a_mel": "live_loop :mel do\n  synth :prophet, note: scale(:c4, :minor).tick\n  sleep 0.5\nend",
    "b_pad": "live_loop :pad do\n  synth :hollow, note: :e3, sustain: 2\n  sleep 4\nend",
    "c_hats": "live_loop :hats do\n  sample :drum_cymbal_closed\n  sleep 0.25\nend",
    "d_same": CONTEXT,
    "e_broken": "live_loop :x do\n  play (",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    (folder / "candidates").mkdir()
    (folder / "context.rb").write_text(CONTEXT)
    for name, code in CANDIDATES.items():
        (folder / "candidates" / f"{name}.rb").write_text(code)
    (folder / "candidates" / "f_latin.rb").write_bytes(b"# caf\xe9")
    return folder


@pytest.fixture(scope="module")
def rehearse(demo_stage, folder, tmp_path_factory):
    def play(runs_programs=False, **code_ranking):
        out = tmp_path_factory.mktemp("run")
        options = {
            "code_ranking.enabled": True,
            "code_ranking.agent.runs_programs": runs_programs,
            "code_ranking.desk.folder": str(folder),
            "code_ranking.desk.keep": 2,
            "code_ranking.desk.preview.seconds": 1.0,
            **code_ranking,
        }
        config = demo_stage(out, seconds=3.0, seed=5, **options)
        FastBand(config).run(threading.Event())
        report_from_run(out, finished=True)
        return out

    return play


@pytest.fixture(scope="module")
def ranking(rehearse):
    return rehearse()


@pytest.fixture(scope="module")
def without(rehearse):
    return rehearse(**{"code_ranking.enabled": False})


def said(out, kind):
    with JournalReader(out / "journal.sqlite") as journal:
        return [e.message for e in journal.read((kind.TOPIC,)) if isinstance(e.message, kind)]


def test_a_folder_is_ranked_once_and_always_the_same_and_moves_no_sample_of_the_music(
    rehearse, ranking, without
):
    runs = [ranking, rehearse()]
    [request] = said(runs[0], CodeRequest)
    assert len(request.candidates) == 5
    [ranked] = said(runs[0], CodeRanked)
    assert sorted(ranked.order) == [0, 1, 2]
    assert (ranked.final, len(ranked.chosen), set(ranked.tiers)) == (True, 2, {"static"})
    assert [ranked] == said(runs[1], CodeRanked)
    assert said(without, CodeRanked) == []
    for name in ("accompaniment.wav", "mix.wav"):
        assert (runs[0] / name).read_bytes() == (without / name).read_bytes()


def test_the_report_tells_of_code_only_if_there_was_some(ranking, without):
    report = json.loads((ranking / "report.json").read_text("utf-8"))
    assert report["code_ranking"]["chosen_by_tier"] == {"static": 2}
    assert [f["event"] for f in report["faults"]] == ["refused"]  # the file that is no UTF-8
    assert "Code ranked" in (ranking / "report.html").read_text("utf-8")
    assert "code_ranking" not in json.loads((without / "report.json").read_text("utf-8"))
    assert "Code ranked" not in (without / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("needs_sonic_pi")
def test_with_sonic_pi_the_last_answer_was_heard_and_has_a_preview(rehearse):
    out = rehearse(runs_programs=True, **{"code_ranking.agent.program_seconds": 20.0})
    [ranked] = said(out, CodeRanked)
    assert set(ranked.tiers) == {"heard"}
    assert len(list((out / "previews").glob("*.wav"))) == 1
