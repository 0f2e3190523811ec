"""What is written is there whole or not at all."""

import os
from pathlib import Path

import pytest

from corpus.whole_file import write_atomically


@pytest.mark.parametrize(("content", "found"), [("ä\n", "ä\n".encode()), (b"\0\r\n", b"\0\r\n")])
def test_a_file_takes_the_place_of_what_was_there_and_folders_are_made(tmp_path, content, found):
    path = tmp_path / "deep" / "file"
    write_atomically(path, "earlier")
    write_atomically(path, content)
    assert path.read_bytes() == found
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("ends_with", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_ends_the_writing_leaves_what_was_there_and_nothing_half(
    tmp_path, monkeypatch, ends_with
):
    def write_some(path, content):
        path.open("wb").write(content[:3])
        raise ends_with

    write_atomically(tmp_path / "file", "earlier")
    monkeypatch.setattr(Path, "write_bytes", write_some)
    with pytest.raises(type(ends_with)) as caught:
        write_atomically(tmp_path / "file", b"later")
    if isinstance(ends_with, OSError):
        assert (caught.value.errno, caught.value.filename) == (28, str(tmp_path / "file"))
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "earlier"
