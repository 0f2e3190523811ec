"""Configs: one YAML file, then the command line, then one strict check; every error is a sentence.

The classes stand next to what they configure; `launch/stage.py` and `launch/train.py` compose
them. Relative paths in a YAML file start at the project's root, those of the command line where
the command was typed.
"""

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from launch.command import broken_rule, shortened

PROJECT_ROOT = Path(__file__).resolve().parent.parent

ConfigT = TypeVar("ConfigT", bound=BaseModel)


class ConfigError(ValueError):
    """A config that cannot be used; the message is one sentence for the user."""


def load_config(
    kind: type[ConfigT],
    path: Path,
    *,
    options: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
) -> ConfigT:
    """Read a YAML file, lay options and assignments over it, and check the whole.

    Args:
        kind: the pydantic class that says what is allowed.
        path: the YAML file.
        options: dotted name → value, from flags; `None` values are left out.
        assignments: "section.key=value" strings, values spelled as in YAML; they win.

    Raises:
        ConfigError: unreadable file, unknown key, wrong type, value out of range.
    """
    values = _read_yaml(path)
    for name, value in (options or {}).items():
        if value is not None:
            _assign(values, name, value)
    for assignment in assignments:
        name, value = _parse_assignment(assignment)
        _assign(values, name, value)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_sentence(error, path)) from None


def resolve(path: Path, *, typed: bool = False) -> Path:
    """An absolute path: of a relative one, what exists under the project's root or where we are.

    Args:
        path: as written.
        typed: on the command line: what lies where the command was typed comes first; of a path
            in a config, what lies under the project's root.

    Raises:
        ConfigError: no file can have this name.
    """
    places = (Path.cwd(), PROJECT_ROOT) if typed else (PROJECT_ROOT, Path.cwd())
    found = [places[0] / path, places[1] / path]
    return found[0] if is_there(found[0]) or not is_there(found[1]) else found[1]


def is_there(path: Path) -> bool:
    """Whether something has this name.

    Raises:
        ConfigError: nothing can have this name, or not every part of the band could read it.
    """
    try:
        if b"\0" in str(path).encode("utf-8"):
            raise ValueError(path)
        return path.exists()
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain UTF-8 text"
        raise ConfigError(
            f"a path must be one that every part of the band can open, got {shortened(str(path))} "
            f"({reason}); name or rename it otherwise"
        ) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise OSError(errno.EINVAL, "it is a pipe or a device, which would be waited for")
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"the config must be an existing YAML file, got {path}; see configs/ for examples"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"the config must be a YAML file that can be read, got {path} ({reason}); see configs/ "
            "for examples"
        ) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        where = " ".join(str(error).split())
        raise ConfigError(f"the config {path} must be YAML, but {where}; correct it") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"the config {path} must hold names and values, got a {type(values).__name__}; see "
            "configs/ for examples"
        )
    return values


def _parse_assignment(assignment: str) -> tuple[str, Any]:
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise ConfigError(
            f'--set must be section.key=value, got "{assignment}"; write, say, --set seed=1'
        )
    try:
        return name.strip(), yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        raise ConfigError(
            f'--set {name}: the value must be YAML, got "{text}"; quote text'
        ) from None


def _assign(values: dict[str, Any], name: str, value: object) -> None:
    *sections, key = name.split(".")
    here = values
    for section in sections:
        inner = here.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f'"{section}" in "{name}" is a value, not a section; shorten the name'
            )
        here = inner
    here[key] = value


def _sentence(error: ValidationError, path: Path) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "the config"
    if first["type"] == "extra_forbidden":
        return f'"{name}" is not a known setting; correct it in {path} or in --set {name}=…'
    if first["type"] == "missing":
        return f'"{name}" must be given in {path} or with --set {name}=…'
    return f"{broken_rule(error)}; change it in {path} or with --set {name}=…"
