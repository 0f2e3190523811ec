"""A process of the band, with its role in a thread of this one."""

import gc
import socket
import sys
from pathlib import Path

import pytest

from actors.process import RoleProcess
from actors.stage_config import BandConfig

ROOT = Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def broker(tmp_path):
    """A process that is ready to carry what the others say."""
    config = BandConfig(
        memory=(ROOT / "corpus/demo/audio/two_riffs/piano.ogg",),
        bundle=ROOT / "models/bundles/default",
        streams={"publish_port": free_port(), "subscribe_port": free_port()},
        out=tmp_path,
        playable=((0,),),
        track_names=("piano",),
        first_segments=(0,),
    )
    interval = sys.getswitchinterval()
    process = RoleProcess(config.model_dump_json())
    process.play("broker")
    assert process.ready() == ""
    yield process
    process.stop()
    assert process.finished() == ""
    sys.setswitchinterval(interval)
    gc.unfreeze()


def test_what_a_role_has_loaded_is_never_searched_for_garbage_while_it_plays(broker):
    assert not any(found is broker for found in gc.get_objects())
