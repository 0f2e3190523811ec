"""The command that makes a data set, on programs of a second."""

import pytest

from corpus.sonic_pi.dataset import Dataset
from launch import render_corpus

PROGRAMS = {
    "notes/up.rb": "use_synth :beep\n3.times do\n  play 60, release: 0.2\n  sleep 0.25\nend\n",
    "kick.rb": "sample :bd_haus, amp: 1\nsleep 0.5\n",
    "quiet.rb": "sleep 1\n",
    "broken.rb": "play 60\nsample :bd_haus, amp: 0.5\nno_such_function 3\n",
}


@pytest.fixture
def programs(tmp_path):
    for name, code in PROGRAMS.items():
        path = tmp_path / "programs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return tmp_path / "programs"


def command(programs, out, *more):
    return [
        *("--programs", str(programs), "--only-programs", "--out", str(out)),
        *("--renders", "2", "--seconds", "1", *more),
    ]


@pytest.mark.usefixtures("needs_sonic_pi")
def test_a_folder_of_programs_becomes_a_data_set_once(programs, tmp_path, capsys):
    out = tmp_path / "set"
    assert render_corpus.main(command(programs, out)) == 0
    assert "8 programs: 4 kept (50.0%), 2 silent (25.0%), 0 clipped (0.0%), 2 failed" in (
        capsys.readouterr().out
    )
    with Dataset(out) as dataset:
        pairs = list(dataset.pairs())
        assert [(p.template, p.index) for p in pairs] == [
            ("kick", 0), ("kick", 1), ("notes-up", 0), ("notes-up", 1)
        ]  # fmt: skip
        assert pairs[0].code != pairs[1].code
        (failed, _) = dataset.pairs("failed", sound=False)
        assert "no_such_function" in failed.note
    written = {path: path.stat().st_mtime_ns for path in (out / "sound").rglob("*.flac")}
    assert render_corpus.main(command(programs, out)) == 0
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.usefixtures("needs_sonic_pi")
def test_two_workers_make_the_same_bytes_as_one(programs, tmp_path):
    sounds = []
    for workers in ("1", "2"):
        out = tmp_path / workers
        render_corpus.main(command(programs, out, "--workers", workers))
        with Dataset(out) as dataset:
            sounds.append([(pair.code, pair.sound) for pair in dataset.pairs()])
    assert sounds[0] == sounds[1]
    assert len(sounds[0]) == 4


@pytest.mark.ray
@pytest.mark.usefixtures("needs_sonic_pi")
def test_ray_workers_make_the_same_data_set(programs, tmp_path):
    sets = []
    for name, more in (("plain", ()), ("ray", ("--ray", "--workers", "2"))):
        assert render_corpus.main(command(programs, tmp_path / name, *more)) == 0
        with Dataset(tmp_path / name) as dataset:
            outcomes = ("kept", "silent", "clipped", "failed")
            sets.append([(p.code, p.outcome, p.events, p.sound) for p in dataset.pairs(*outcomes)])
    assert sets[0] == sets[1]
    assert len(sets[0]) == 8


def test_a_stopped_run_says_so_and_keeps_what_it_has(programs, tmp_path, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(render_corpus, "_pairs", stop)
    assert render_corpus.main(command(programs, tmp_path / "set")) == 130
    assert "the same command goes on" in capsys.readouterr().out


def test_bytes_that_are_no_text_are_skipped_with_their_name(
    programs, tmp_path, capsys, monkeypatch
):
    (programs / "odd.rb").write_bytes(b"play 60 \xff")
    (programs / "marked.rb").write_bytes(b"\xef\xbb\xbfplay 60")
    monkeypatch.setattr(render_corpus, "_pairs", lambda *_: iter(()))
    assert render_corpus.main(command(programs, tmp_path / "set")) == 0
    said = capsys.readouterr().err
    assert "odd.rb" in said
    assert "marked.rb" not in said


def test_no_programs_or_another_data_set_are_refused(programs, tmp_path, capsys, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert render_corpus.main(command(tmp_path / "empty", tmp_path / "set")) == 2
    assert "must hold Sonic Pi programs" in capsys.readouterr().err
    assert render_corpus.main(["--out", str(tmp_path / "x"), "--only-programs"]) == 2
    assert "--only-programs needs --programs" in capsys.readouterr().err
    monkeypatch.setattr(render_corpus, "_pairs", lambda *_: iter(()))
    assert render_corpus.main(command(programs, tmp_path / "set")) == 0
    assert render_corpus.main(command(programs, tmp_path / "set", "--seed", "3")) == 2
    assert "choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--renders", "0"], "--renders: must be at least 1, got 0"),
        (["--workers", "0"], "--workers: must be from 1 to 64, got 0"),
        (["--workers", "100000"], "--workers: must be from 1 to 64, got 100000"),
    ],
)
def test_numbers_that_make_nothing_are_refused_before_anything_is_done(
    tmp_path, capsys, options, words
):
    with pytest.raises(SystemExit, match="2"):
        render_corpus.main(["--out", str(tmp_path / "set"), *options])
    assert words in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--out", "FILE"],
            "error: FILE must be a folder of data that can be written, with room for more, and is "
            "not (File exists); free the disk or choose another folder\n",
        ),
        (
            ["--out", "SET", "--seconds", "nan"],
            "error: seconds must be less than or equal to 600, got nan\n",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(tmp_path, capsys, options, said):
    file = tmp_path / "file"
    file.write_text("")
    places = {"FILE": str(file), "SET": str(tmp_path / "set")}
    assert render_corpus.main([places.get(option, option) for option in options]) == 2
    assert capsys.readouterr().err == said.replace("FILE", str(file))
