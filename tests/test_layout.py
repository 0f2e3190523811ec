"""The house rules that no linter knows."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agents", "actors", "corpus", "launch", "models")
SOURCES = sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("folder", [*PACKAGES, "configs", "tests"])
def test_the_top_level_holds_the_rooms_of_the_house(folder):
    assert (ROOT / folder).is_dir()


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_source_file_is_longer_than_four_hundred_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_tests_are_not_a_package():
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_importing_every_package_touches_no_device_and_prints_nothing():
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in SOURCES]
    wanted = [m for m in modules if not m.endswith("__init__") and not m.endswith("__main__")]
    code = "import sys\n" + "\n".join(f"import {m}" for m in wanted)
    code += "\nassert 'sounddevice' not in sys.modules, 'sounddevice is imported at import time'"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
