"""The examples of the installed package: all play, none is silent, none has an error.

They are CC BY-SA and are read where they are installed.
"""

from collections.abc import Iterator

import pytest

from corpus.sonic_pi.fork_server import ProgramLimits
from corpus.sonic_pi.install import Installation
from corpus.sonic_pi.renderer import Renderer, RendererConfig
from corpus.sonic_pi.synthesis import SynthesisLimits

SILENT_BELOW = 1e-3
PATIENT = RendererConfig(
    program=ProgramLimits(cpu_seconds=30, wall_seconds=60.0),
    synthesis=SynthesisLimits(cpu_seconds=30, wall_seconds=90.0),
)


@pytest.fixture(scope="module")
def installation(installed_sonic_pi: Installation) -> Installation:
    if not installed_sonic_pi.example_folder.is_dir():
        pytest.skip("the examples come with: apt-get install sonic-pi-server")
    return installed_sonic_pi


@pytest.fixture(scope="module")
def examples(installation: Installation) -> dict[str, str]:
    files = sorted(installation.example_folder.glob("*/*.rb"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


@pytest.fixture(scope="module")
def renderer(needs_sonic_pi) -> Iterator[Renderer]:
    renderer = Renderer(PATIENT)
    with renderer:
        yield renderer


def test_every_example_plays_without_error(renderer: Renderer, examples: dict[str, str]):
    played = {name: renderer.events(code, 18.0) for name, code in examples.items()}

    assert len(played) >= 32
    assert {name: one.errors for name, one in played.items() if one.errors} == {}
    assert [name for name, one in played.items() if not one.events] == []


@pytest.mark.parametrize("name", ["ocean", "cloud_beat"])
def test_examples_that_use_noise_are_the_same_to_the_byte(
    renderer: Renderer, examples: dict[str, str], name: str
):
    first, second = (renderer.render(examples[name], 6.0) for _ in range(2))

    assert first.peak > SILENT_BELOW
    assert first.audio.tobytes() == second.audio.tobytes()


@pytest.mark.slow
def test_every_example_can_be_heard(renderer: Renderer, examples: dict[str, str]):
    rendered = {name: renderer.render(code, 18.0) for name, code in examples.items()}

    assert {name: one.errors for name, one in rendered.items() if one.errors} == {}
    assert [name for name, one in rendered.items() if one.peak < SILENT_BELOW] == []


@pytest.mark.slow
def test_a_new_server_gives_the_same_bytes_for_every_example(
    renderer: Renderer, examples: dict[str, str]
):
    with Renderer(PATIENT) as other:
        for code in examples.values():
            assert (
                renderer.render(code, 4.0).audio.tobytes()
                == other.render(code, 4.0).audio.tobytes()
            )
