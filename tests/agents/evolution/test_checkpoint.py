import resource
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.evolution.checkpoint import (
    CheckpointError,
    RunLock,
    load_checkpoint,
    pack,
    save_checkpoint,
    unpack,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_plain_values_come_back_as_they_were(values):
    assert unpack(pack(values)) == values


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_arrays_come_back_with_their_kind_and_shape(dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    back = unpack(pack({"a": [array]}))["a"][0]
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_an_object_is_refused():
    with pytest.raises(TypeError, match="plain values and arrays, got a set"):
        pack({"a": {1, 2}})


def test_a_saved_state_is_loaded_again(tmp_path):
    save_checkpoint(tmp_path / "c", {"generation": 3, "x": np.ones(2, np.float32)})
    state = load_checkpoint(tmp_path / "c")
    assert state["generation"] == 3
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_another_version_is_refused_in_one_sentence(tmp_path):
    values = {"format": "antiphon-evolution", "version": 99, "state": {}}
    (tmp_path / "c").write_bytes(pack(values))
    with pytest.raises(CheckpointError, match="version 1, got version 99; resume it with"):
        load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize("data", [b"", b"nonsense", pack([1, 2]), pack({"format": "x"})])
def test_what_is_no_checkpoint_is_refused(tmp_path, data):
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(CheckpointError, match="must be a checkpoint of an evolution"):
        load_checkpoint(tmp_path / "c")


def test_a_full_disk_leaves_the_checkpoint_before_untouched(tmp_path):
    path = tmp_path / "c"
    save_checkpoint(path, {"generation": 1})
    code = (
        "import resource, signal, sys, numpy, pathlib\n"
        "from agents.evolution.checkpoint import save_checkpoint, CheckpointError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    save_checkpoint(pathlib.Path(sys.argv[1]), {'x': numpy.zeros(9999)})\n"
        "except CheckpointError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert "the one before is untouched: free some space and resume" in done.stdout
    assert load_checkpoint(path) == {"generation": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_one_folder_is_for_one_evolution_at_a_time(tmp_path):
    with RunLock(tmp_path), pytest.raises(CheckpointError, match="one evolution at a time"):
        RunLock(tmp_path)
    with RunLock(tmp_path):
        pass
