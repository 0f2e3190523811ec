"""The command line's likes: answered by what plays, or put into a store."""

import threading

import pytest

from actors.clock import SystemClock
from actors.devices.osc import OscConfig, OscInput
from actors.feedback_desk import FeedbackDeskConfig, FeedbackOffice
from agents.messages import Feedback
from corpus.feedback_store import FeedbackStore
from launch import feedback


@pytest.fixture
def stage(tmp_path):
    """What of a stage answers people: its port, and what it passed on."""
    clock, said = SystemClock(), []
    path, config = tmp_path / "f.sqlite", FeedbackDeskConfig()
    office = FeedbackOffice(path, {0: "piano.ogg"}, 0.25, config, said.append, clock.now)
    office.start()
    osc = OscInput(OscConfig(port=0), office.take, lambda: 0, clock.now)
    port = osc.start()
    yield port, said, path
    osc.stop()
    office.stop()


def test_a_like_comes_back_when_it_is_on_disk(stage, capsys):
    port, said, path = stage
    code = feedback.main(
        ["like", "--clip", "piano.ogg", "--who", "ann", "--port", str(port), "--wait", "20"]
    )
    assert (code, capsys.readouterr().out) == (0, "like is kept, about piano.ogg\n")
    with FeedbackStore(path) as store:
        assert [one.song for one in store.current("ann")] == ["piano.ogg"]
    assert [(m.verdict, m.about) for m in said if isinstance(m, Feedback)] == [
        ("like", "piano.ogg")
    ]


def test_a_refusal_is_one_sentence(stage, capsys):
    code = feedback.main(["back", "--port", str(stage[0]), "--wait", "20"])
    assert code == 1
    assert "refused: there is no accepted clip to take back" in capsys.readouterr().err


def test_many_at_once_are_all_answered(stage):
    answers = []

    def like(k):
        answer = feedback.send("like", "piano.ogg", f"phone {k}", port=stage[0], seconds=30)
        answers.append(answer)

    threads = [threading.Thread(target=like, args=(k,)) for k in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [taken for taken, _ in answers] == [True] * 12


def test_where_no_stage_plays_it_is_said(capsys):
    assert feedback.main(["like", "--port", "9", "--wait", "0.2"]) == 2
    assert "none answered in 0.2 s; name another --port, or a --store" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "99999"], "must be from 1 to 65535, got 99999"),
        (["--port", "0"], "must be from 1 to 65535, got 0"),
        (["--wait", "inf"], "must be from 0.01 to 3600, got inf"),
        (["--wait", "nan"], "must be from 0.01 to 3600, got nan"),
        (["--wait", "-1"], "must be from 0.01 to 3600, got -1"),
        (["--wait", "long"], "invalid float value: 'long'"),
        (["--clip", "\udcff"], "must be one line of plain UTF-8 text"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anybody_waits(arguments, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        feedback.main(["like", *arguments])
    assert said in capsys.readouterr().err


def test_it_can_be_put_into_a_store(tmp_path, capsys):
    path = str(tmp_path / "f.sqlite")
    assert feedback.main(["dislike", "--store", path, "--clip", "c1"]) == 0
    assert feedback.main(["dislike", "--store", path]) == 2
    assert feedback.main(["like", "--store", str(tmp_path / "no" / "f"), "--clip", "c1"]) == 2
    with FeedbackStore(tmp_path / "f.sqlite") as store:
        assert [(one.song, one.verdict) for one in store.current()] == [("c1", -1)]
    assert "name what it is about with --clip" in capsys.readouterr().err


def test_a_file_that_is_no_store_is_left_alone(tmp_path, capsys):
    (tmp_path / "notes").write_text("notes" * 200)
    assert feedback.main(["like", "--store", str(tmp_path / "notes"), "--clip", "c"]) == 2
    assert "must be a feedback store" in capsys.readouterr().err
