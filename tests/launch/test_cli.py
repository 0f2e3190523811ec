"""The console script passes on to its commands."""

import pytest

from launch import cli, stage


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["dance"], 2), (["--help"], 0)])
def test_without_a_command_it_names_them_all(monkeypatch, capsys, arguments, code):
    monkeypatch.setattr(cli.sys, "argv", ["antiphon", *arguments])
    assert cli.main() == code
    printed = capsys.readouterr().out
    assert printed.startswith("usage: antiphon COMMAND")
    assert all(name in printed for name in cli.COMMANDS)


def test_a_command_gets_what_follows_it(monkeypatch):
    monkeypatch.setattr(stage, "main", lambda arguments: 7 if arguments == ["--seed", "1"] else 0)
    monkeypatch.setattr(cli.sys, "argv", ["antiphon", "stage", "--seed", "1"])
    assert cli.main() == 7
