"""The command that ranks programs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from threadpoolctl import threadpool_info

from launch import rank

PROGRAMS = {
    "beat": "live_loop :beat do\n  sample :bd_haus\n  sleep 0.5\nend\n",
    "slower": "live_loop :beat do\n  sample :bd_haus\n  sleep 0.52\nend\n",
    "pad": "live_loop :pad do\n  synth :hollow, note: :e3, sustain: 2\n  sleep 4\nend\n",
    "bells": "live_loop :b do\n  synth :pretty_bell, note: :c7\n  sleep 0.25\nend",
}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    folder = tmp_path / "candidates"
    folder.mkdir()
    for name, code in PROGRAMS.items():
        (folder / f"{name}.rb").write_text(code)
    return [str(folder / f"{name}.rb") for name in PROGRAMS]


def ranked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert rank.main([*arguments, "--static-only", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def names(paths: list[str]) -> set[str]:
    return {Path(path).stem for path in paths}


def test_the_most_distinct_are_chosen(files, capsys):
    found = ranked(capsys, *files)
    assert len(found["chosen"]) == 3
    assert not {"beat", "slower"} <= names(found["chosen"])
    assert [row["rank"] for row in found["candidates"]] == [1, 2, 3, 4]
    assert {row["tier"] for row in found["candidates"]} == {"static"}
    assert found["is_final"]


def test_matrices_are_multiplied_by_one_thread(files, capsys, monkeypatch):
    threads = []

    def noting(*arguments):
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        threads.extend(pool["num_threads"] for pool in pools)
        return open_cascade(*arguments)

    open_cascade = rank.open_cascade
    monkeypatch.setattr(rank, "open_cascade", noting)
    ranked(capsys, *files)
    assert threads
    assert set(threads) == {1}


def test_a_folder_stands_for_its_programs_and_the_context_is_avoided(files, tmp_path, capsys):
    context = tmp_path / "context.rb"
    context.write_text(PROGRAMS["beat"].replace("0.5", "0.51"))
    found = ranked(capsys, "--context", str(context), str(Path(files[0]).parent), "--keep", "2")
    assert names(found["chosen"]) == {"pad", "bells"}
    assert found["context"] == {"file": str(context), "tier": "static"}


def test_near_a_sound_a_context_that_cannot_be_read_is_told(files, tmp_path, capsys):
    soundfile.write(tmp_path / "tone.wav", np.sin(np.arange(22_050) / 10), 22_050)
    context = tmp_path / "context.rb"
    arguments = [*files, "--near", str(tmp_path / "tone.wav"), "--context", str(context)]
    context.write_text("use_synth :fm")
    assert ranked(capsys, *arguments)["notices"] == []
    context.write_text("use_synth :fm\nplay 60,,")
    [notice] = ranked(capsys, *arguments)["notices"]
    assert notice.startswith("nothing is taken from the context: line 2")


def test_near_a_sound_the_nearest_come_first(files, tmp_path, capsys):
    time = np.arange(4 * 22_050) / 22_050
    clicks = np.sin(2 * np.pi * 60 * time) * np.exp(-20 * (time % 0.5))
    soundfile.write(tmp_path / "kick.wav", clicks, 22_050)
    found = ranked(capsys, *files, "--near", str(tmp_path / "kick.wav"), "--keep", "2")
    assert found["mode"] == "nearest"
    assert names(found["chosen"]) == {"beat", "slower"}
    distances = [row["distance"] for row in found["candidates"]]
    assert distances == sorted(distances)


def test_axes_can_be_weighed(files, capsys):
    plain, rhythm = (
        ranked(capsys, *files, *options)["candidates"][0]["distance"]
        for options in ((), ("--timbre", "0", "--harmony", "0"))
    )
    assert rhythm < plain


def test_the_table_shows_every_candidate_and_why(files, tmp_path, capsys):
    broken, empty, binary = (tmp_path / f"{name}.rb" for name in ("broken", "empty", "binary"))
    broken.write_text("play 60,,")
    empty.write_text("")
    binary.write_bytes(b"play 60 \xff")
    missing = tmp_path / "missing.rb"
    arguments = [*files, *map(str, (broken, empty, binary, missing)), "--static-only"]
    assert rank.main(arguments) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in ("beat.rb", "syntax error", "empty", "UTF-8", "No such file", "its code"):
        assert words in shown


def test_a_twin_is_named_by_its_file(files, tmp_path, capsys):
    (tmp_path / "unreadable.rb").write_bytes(b"\xff")
    (tmp_path / "same.rb").write_text(f"# the same\n{PROGRAMS['pad']}")
    (tmp_path / "louder.rb").write_text(PROGRAMS["pad"].replace("note:", "amp: 2, note:"))
    given = [*(str(tmp_path / f"{name}.rb") for name in ("unreadable", "same", "louder")), *files]
    rows = {Path(row["file"]).stem: row for row in ranked(capsys, *given)["candidates"]}
    assert rows["louder"]["set_aside"] == f"sounds like {tmp_path / 'same.rb'}"
    assert rows["pad"]["set_aside"] == f"equal to {tmp_path / 'same.rb'}"
    assert rank.main([*given, "--static-only"]) == 0
    assert "equal to same.rb" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("code", ["play 60,,", "synth :nosuch"])
def test_a_context_that_cannot_play_is_not_passed_over(files, tmp_path, capsys, code):
    context = tmp_path / "context.rb"
    context.write_text(code)
    found = ranked(capsys, "--context", str(context), *files)
    assert found["context"]["tier"] is None
    (notice,) = found["notices"]
    assert "nothing is compared with the context: " in notice
    assert rank.main(["--context", str(context), *files, "--static-only"]) == 0
    assert notice in " ".join(capsys.readouterr().out.split())


def test_a_byte_order_mark_is_no_part_of_a_program(files, tmp_path, capsys):
    marked = tmp_path / "marked.rb"
    marked.write_bytes(b"\xef\xbb\xbf" + PROGRAMS["pad"].encode())
    found = ranked(capsys, *files, str(marked))
    assert f"equal to {files[2]}" in [row["set_aside"] for row in found["candidates"]]


def test_a_program_has_no_power_over_the_terminal(tmp_path, capsys):
    (tmp_path / "\x1b[2Jname.rb").write_text('raise "\\e[2Jboo"')
    assert rank.main([str(tmp_path), "--static-only"]) == 1
    shown = "".join(capsys.readouterr().out.split())
    assert "\x1b" not in shown
    assert "\\x1b[2Jboo" in shown
    assert "\\x1b[2Jname.rb" in shown


def test_without_any_time_the_code_alone_decides(files, capsys):
    found = ranked(capsys, *files, "--seconds-budget", "0")
    assert len(found["chosen"]) == 3
    assert {row["tier"] for row in found["candidates"]} == {"static"}


def test_nothing_readable_is_said_so(tmp_path, capsys):
    assert rank.main([str(tmp_path / "none.rb"), "--static-only"]) == 1
    assert "No program could be read." in capsys.readouterr().out


def test_fewer_than_asked_for_is_told(files, capsys):
    assert rank.main([files[0], files[0], "--keep", "3", "--static-only"]) == 0
    assert "3 were asked for, 1 can be chosen" in capsys.readouterr().out


def test_nothing_to_choose_is_an_exit_code(tmp_path, capsys):
    silent = tmp_path / "silent.rb"
    silent.write_text("sleep 1")
    assert rank.main([str(silent), "--static-only"]) == 1
    assert "silent" in capsys.readouterr().out


def test_without_sonic_pi_the_code_alone_is_ranked(files, tmp_path, capsys):
    assert rank.main([*files, "--sonic-pi", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "apt-get install" in shown
    assert "its code" in shown


def test_what_was_found_out_is_kept_in_a_file(files, tmp_path, capsys):
    cache = str(tmp_path / "kept.sqlite")
    first = ranked(capsys, *files, "--cache", cache)
    second = ranked(capsys, *files, "--cache", cache)
    assert first["candidates"] == second["candidates"]
    assert Path(cache).stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--context", "FOLDER/none.rb"], "none.rb: No such file"),
        (["--context", "FOLDER"], "must be a file with a program"),
        (["--context", "FOLDER/binary.rb"], "must be UTF-8 text"),
        (["--context", "FOLDER/nul.rb"], "holds a NUL at character 7"),
        (["--near", "FOLDER/none.wav"], "none.wav"),
        (["--near", "FOLDER/binary.rb"], "binary.rb"),
        (["--near", "FOLDER/silence.wav"], "must hold sound"),
        (["--keep", "0"], "--keep must be at least 1, got 0"),
        (["--trade", "0.5"], "--trade must come with --near"),
        (["--near", "FOLDER/tone.wav", "--trade", "3"], "trade must be in"),
        (["--timbre", "0", "--rhythm", "0", "--harmony", "0"], "must be above 0, got 0 for each"),
        (["--timbre", "-1"], "--timbre must be in [0, 10], got -1.0"),
        (["--timbre", "nan"], "timbre"),
        (["--seconds-budget", "-1"], "--seconds-budget must be at least 0, got -1.0"),
        (["--workers", "0"], "--workers must be in [1, 64], got 0"),
        (["--workers", "1000"], "--workers must be in [1, 64], got 1000"),
        (["--cache", "FOLDER"], "must be a cache"),
        (["FOLDER/empty"], "must hold Sonic Pi programs"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(files, tmp_path, capsys, options, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.rb").write_bytes(b"play 60 \xff")
    (tmp_path / "nul.rb").write_bytes(b"play 60\0")
    soundfile.write(tmp_path / "silence.wav", np.zeros(22_050), 22_050)
    soundfile.write(tmp_path / "tone.wav", np.sin(np.arange(22_050) / 10), 22_050)
    filled = [option.replace("FOLDER", str(tmp_path)) for option in options]
    assert rank.main(["--static-only", "--json", *filled, *files]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.usefixtures("needs_sonic_pi")
def test_where_there_is_sonic_pi_the_shown_are_heard(files, capsys):
    assert rank.main([*files, "--keep", "2", "--seconds-budget", "60", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["tier"] for row in found["candidates"]} == {"heard"}
    assert not {"beat", "slower"} <= names(found["chosen"])


def test_the_command_runs_as_a_file_from_anywhere(files, tmp_path):
    done = subprocess.run(
        [sys.executable, str(Path(rank.__file__)), *files, "--static-only", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["chosen"]) == 3
