"""The README promises only what is there; `python tests/test_readme.py` redraws its tree."""

import ast
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


def tree():
    """Every source file with the first line of its docstring, as the README shows it."""
    lines = []
    for name in ("launch", "actors", "agents", "models", "corpus"):
        files = sorted((ROOT / name).rglob("*.py"), key=lambda p: (p.parent, p.name))
        for path in files:
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            first = docstring.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")
            if path.name == "__init__.py":
                lines.append(f"{path.parent.relative_to(ROOT)}/".ljust(42) + first)
            else:
                depth = len(path.relative_to(ROOT).parts) - 1
                lines.append(f"{'  ' * depth}{path.name}".ljust(42) + first)
    return "\n".join(line[:118].rstrip() for line in lines)


def with_tree(text):
    """The README's text with its tree redrawn."""
    before, rest = text.split("## The house\n\n```\n", 1)
    after = rest.split("```\n", 1)[1]
    return f"{before}## The house\n\n```\n{tree()}\n```\n{after}"


def test_the_tree_names_every_source_file_and_what_it_is_for():
    assert with_tree(README) == README, "run: python tests/test_readme.py"


def test_the_rehearsal_of_the_readme_plays(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            *["-m", "launch.cli", "stage", "--pace", "fast", "--seconds", "3", "--out"],
            tmp_path / "run",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("input.wav", "accompaniment.wav", "mix.wav", "journal.sqlite", "report.html"):
        assert (tmp_path / "run" / name).stat().st_size > 0


if __name__ == "__main__":
    (ROOT / "README.md").write_text(with_tree(README), encoding="utf-8")
