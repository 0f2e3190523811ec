"""The console script passes on to its commands."""

import pytest

from launch import cli, stage


@pytest.mark.parametrize(
    ("arguments", "code", "last"),
    [([], 2, "got none"), (["dance"], 2, "got 'dance'"), (["--help"], 0, "")],
)
def test_without_a_command_it_names_them_all(monkeypatch, capsys, arguments, code, last):
    monkeypatch.setattr(cli.sys, "argv", ["antiphon", *arguments])
    assert cli.main() == code
    said = capsys.readouterr()
    printed, other = (said.err, said.out) if code else (said.out, said.err)
    assert printed.startswith("usage: antiphon COMMAND")
    assert all(name in printed for name in cli.COMMANDS)
    assert printed.strip().endswith(last)
    assert other == ""


@pytest.mark.parametrize("name", ["import-corpus", "alphabet-card", "rank", "render", "taste"])
def test_the_help_of_a_command_calls_it_as_it_was_called(monkeypatch, capsys, name):
    monkeypatch.setattr(cli.sys, "argv", ["antiphon", name, "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().out.startswith(f"usage: antiphon {name} ")


def test_ctrl_c_while_a_command_is_loaded_is_no_traceback(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.importlib, "import_module", interrupted)
    monkeypatch.setattr(cli.sys, "argv", ["antiphon", "stage"])
    assert cli.main() == 130
    assert capsys.readouterr().err == "stopped; nothing was begun\n"


def test_a_command_gets_what_follows_it(monkeypatch):
    monkeypatch.setattr(stage, "main", lambda arguments: 7 if arguments == ["--seed", "1"] else 0)
    monkeypatch.setattr(cli.sys, "argv", ["antiphon", "stage", "--seed", "1"])
    assert cli.main() == 7
