"""Code by file drop: whole, bounded, told once."""

import os

import pytest

from actors.devices.code_folder import CodeFolder, DroppedCode


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "candidates").mkdir()
    return tmp_path


def drop(folder, context="play 60", **candidates):
    (folder / "context.rb").write_text(context)
    for name, code in candidates.items():
        (folder / "candidates" / f"{name}.rb").write_text(code)


def watch(folder, **bounds):
    return CodeFolder(folder, **{"most_candidates": 4, "most_bytes": 100, **bounds})


def test_what_lies_there_is_given_once_when_two_looks_agree(folder):
    drop(folder, b="play 2", a="play 1")
    watcher = watch(folder)
    looks = [watcher.look() for _ in range(4)]
    assert looks == [None, DroppedCode("play 60", ("play 1", "play 2")), None, None]


def test_a_byte_order_mark_is_no_part_of_a_program(folder):
    drop(folder, context="\ufeffplay 60", a="\ufeffplay 1")
    watcher = watch(folder)
    watcher.look()
    assert watcher.look() == DroppedCode("play 60", ("play 1",))


def test_a_file_that_is_still_being_written_waits_until_it_is_whole(folder):
    drop(folder, a="pl")
    watcher = watch(folder)
    watcher.look()
    drop(folder, a="play 1")
    assert watcher.look() is None
    assert watcher.look() == DroppedCode("play 60", ("play 1",))


def test_a_change_is_given_again_and_touching_a_file_is_no_change(folder):
    drop(folder, a="play 1")
    watcher = watch(folder)
    watcher.look(), watcher.look()
    os.utime(folder / "context.rb", (1, 1))
    assert [watcher.look(), watcher.look()] == [None, None]
    drop(folder, context="play 61")
    assert [watcher.look(), watcher.look()] == [None, DroppedCode("play 61", ("play 1",))]


def test_a_folder_may_come_later_and_go_away(tmp_path):
    watcher = watch(tmp_path / "later")
    assert [watcher.look(), watcher.look(), watcher.complaints()] == [None, None, []]
    (tmp_path / "later" / "candidates").mkdir(parents=True)
    drop(tmp_path / "later", a="play 1")
    assert [watcher.look(), watcher.look()][1] is not None


def test_bad_files_are_left_out_with_one_sentence_each_and_the_rest_is_ranked(folder):
    drop(folder, a="play 1", long="#" * 101)
    (folder / "candidates" / "latin.rb").write_bytes(b"# caf\xe9\nplay 2")
    (folder / "candidates" / "folder.rb").mkdir()
    (folder / "candidates" / "empty.rb").touch()
    os.mkfifo(folder / "candidates" / "pipe.rb")  # would be waited for
    watcher = watch(folder, most_candidates=9)
    assert [watcher.look(), watcher.look()][1] == DroppedCode("play 60", ("play 1",))
    latin, long = watcher.complaints()
    assert "latin.rb must be UTF-8 text" in latin
    assert "long.rb must have at most 100 bytes" in long
    assert watcher.complaints() == []
    watcher.look(), watcher.look()
    assert watcher.complaints() == []


def test_more_candidates_than_can_be_ranked_are_cut_with_a_sentence(folder):
    drop(folder, **{f"c{n}": f"play {n}" for n in range(6)})
    watcher = watch(folder)
    assert [watcher.look(), watcher.look()][1].candidates == tuple(f"play {n}" for n in range(4))
    assert "at most 4 candidates" in watcher.complaints()[0]
