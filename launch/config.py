"""Configs: one YAML file, then the command line, then one strict check; every error is a sentence.

The classes stand next to what they configure; `launch/stage.py` and `launch/train.py` compose
them. Relative paths in a YAML file start at the project's root, those of the command line where
the command was typed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

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


def resolve(path: Path, *, root: Path = PROJECT_ROOT) -> Path:
    """`path` itself if it exists or is absolute, else the same path under the project's root."""
    return path if path.is_absolute() or path.exists() else root / path


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"the config must be an existing YAML file, got {path}; see configs/ for examples"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the config {path} cannot be read ({error}); give a text file") from None
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise ConfigError(f"the config {path} must be YAML, but {where}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"the config {path} must hold names and values, got a {type(values).__name__}"
        )
    return values


def _parse_assignment(assignment: str) -> tuple[str, Any]:
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f'--set must be section.key=value, got "{assignment}"')
    try:
        return name.strip(), yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f'--set {name}: the value must be YAML, got "{text}"') from None


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
        return f'"{name}" is not a known setting; look for its spelling in {path}'
    if first["type"] == "missing":
        return f'"{name}" must be given in {path} or with --set {name}=…'
    message = first["msg"]
    said = message.removeprefix("Value error, ").removeprefix("Input ")
    said = said[0].lower() + said[1:]
    return (
        f"{name} {said}, got {_short(first['input'])}; change it in {path} or with --set {name}=…"
    )


def _short(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
