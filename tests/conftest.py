"""What tests of the whole band share: the demo's stage, prepared as the launcher does it."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.stage_config import BandConfig, StageConfig
from launch.config import PROJECT_ROOT, load_config
from launch.preparation import prepare

# tests that run behind a shell ignore Ctrl-C, and so would all that they start
signal.signal(signal.SIGINT, signal.default_int_handler)


class Untold:
    """Is told how the preparation goes, and keeps it to itself."""

    def begin(self, step: str) -> None: ...

    def tell(self, detail: str) -> None: ...

    def note(self, sentence: str) -> None: ...


@pytest.fixture(scope="session")
def memory_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled memories, shared by all tests of the session."""
    return tmp_path_factory.mktemp("memories")


@pytest.fixture(scope="session")
def demo_stage(memory_cache: Path) -> Callable[..., BandConfig]:
    """Prepares the rehearsal of the demo at fast pace, with any option changed."""

    def prepared(out: Path, **options: Any) -> BandConfig:
        options = {"pace": "fast", "cache": memory_cache, "out": out, **options}
        path = PROJECT_ROOT / "configs" / "rehearsal.yaml"
        config = load_config(StageConfig, path, options=options, assignments=[])
        return prepare(config, "rehearsal", Untold())

    return prepared
