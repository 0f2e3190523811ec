"""Every synth, effect and sample of the installed package can be heard."""

from collections.abc import Iterator

import pytest

from corpus.sonic_pi.renderer import Renderer

pytestmark = pytest.mark.slow

SILENT_BELOW = 1e-3
NEED_AN_INPUT = {"sound_in", "sound_in_stereo"}
NEED_MORE = {"autotuner", "record"}  # silent offline; raises without a buffer, as in Sonic Pi


@pytest.fixture(scope="module")
def renderer(needs_sonic_pi) -> Iterator[Renderer]:
    renderer = Renderer()
    with renderer:
        yield renderer


def names(renderer: Renderer, function: str) -> list[str]:
    return [
        line.strip(':"') for line in renderer.events(f"{function}.each {{ |n| puts n }}", 1).log
    ]


def test_every_synth_sounds(renderer: Renderer):
    found = set(names(renderer, "synth_names"))
    silent = {
        name
        for name in found
        if renderer.render(f"synth :{name}, sustain: 0.2", 0.5).peak < SILENT_BELOW
    }
    assert len(found) >= 42
    assert silent == NEED_AN_INPUT


def test_every_effect_lets_sound_through(renderer: Renderer):
    found = set(names(renderer, "fx_names"))
    code = "with_fx :%s do\n 4.times { synth :saw; sleep 0.25 }\nend"
    silent = {name for name in found if renderer.render(code % name, 1.0).peak < SILENT_BELOW}

    assert len(found) >= 40
    assert silent == NEED_MORE


def test_every_sample_is_found(renderer: Renderer):
    found = names(renderer, "all_sample_names")
    code = "\n".join(f"sample :{name}\nsleep 0.01" for name in found)

    played = renderer.events(code, 5.0)

    assert played.errors == ()
    assert [event.name for event in played.events] == found
    assert len(found) >= 164
