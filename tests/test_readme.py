"""The README promises only what is there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL_BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.S)
COMMANDS = [line.split("  #")[0] for block in SHELL_BLOCKS for line in block.splitlines() if line]


def test_first_runnable_code_stands_within_the_first_25_lines():
    lines = README.splitlines()
    assert lines.index("```sh") < 25


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_targets_exist(command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{command.split()[1]}:", makefile, re.M)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("antiphon ")])
def test_quoted_options_are_understood(command):
    _, name, *options = shlex.split(command)
    shown = subprocess.run(
        [sys.executable, "-m", "launch.cli", name, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    for option in options:
        if option.startswith("--"):
            assert option in shown


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_into_the_project_lead_somewhere(target):
    assert (ROOT / target).exists()


def test_the_tree_names_every_source_folder():
    folders = {
        p.parent.relative_to(ROOT)
        for name in ("agents", "actors", "corpus", "launch", "models")
        for p in (ROOT / name).rglob("*.py")
    }
    for folder in folders:
        assert f"{folder}/" in README


def test_the_rehearsal_of_the_readme_plays(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "launch.cli", "stage", "--pace", "fast", "--seconds", "3"]
        + ["--out", str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("input.wav", "accompaniment.wav", "mix.wav", "journal.sqlite", "report.html"):
        assert (tmp_path / "run" / name).stat().st_size > 0
