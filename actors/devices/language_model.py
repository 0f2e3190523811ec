"""A language model behind an OpenAI-compatible endpoint, asked for pieces of Sonic Pi code.

Any server will do that speaks the chat protocol (a model on this machine, a service). Each call is
bounded in time, size and number of attempts; whatever comes back is text from a stranger and only
what our parser reads as Sonic Pi code is passed on. Blocks: call it on a thread of its own.
"""

import ipaddress
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from actors.devices.audio import DeviceError
from agents.code_ranking.proposals import Proposals, asked_for, read_answer

if TYPE_CHECKING:
    from openai import OpenAI

LONGEST_ANSWER: Final = 1_000_000
"""Bytes; a server that sends more is not read on."""
NO_KEY: Final = "none"
"""What a server that wants no key is told."""


class LanguageModelConfig(BaseModel, frozen=True, extra="forbid"):
    """Which language model proposes code; the key itself stands in no config."""

    base_url: str  # such as http://127.0.0.1:11434/v1
    model: str = Field(min_length=1)  # as the server names it
    key_variable: str = "OPENAI_API_KEY"  # environment variable that holds the key, if any
    seconds: float = Field(20.0, gt=0, le=300)  # for all attempts of one asking together
    attempts: int = Field(3, ge=1, le=10)  # calls per asking, until enough has come
    temperature: float = Field(1.0, ge=0, le=2)  # of the model's sampling
    most_tokens: int = Field(6000, ge=64, le=100_000)  # length of one answer

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError(f"must begin with http:// or https:// and name a host, got {url!r}")
        if parts.username or parts.password or parts.query:
            raise ValueError("must hold no password or query; put the key into the environment")
        return url


@dataclass(frozen=True)
class Question:
    """What the language model is asked.

    Args:
        request: name of the request that it belongs to.
        context: the performer's program.
        part: a key of `proposals.PARTS`.
        n: how many pieces, ≥ 1.
        mode: how they will be ranked.
        keep: how many of them will be chosen.
    """

    request: str
    context: str
    part: str
    n: int
    mode: str
    keep: int


class LanguageModel:
    """Asks one server.

    Args:
        config: which.
        now: monotonic seconds.

    Raises:
        DeviceError: the package is missing, or the key would travel in the open.
    """

    def __init__(self, config: LanguageModelConfig, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self._client = _client(config)

    def ask(self, question: Question) -> tuple[Question, Proposals]:
        """Proposals to `question`, as many as came in time; never raises for what a server does."""
        until = self._now() + self._config.seconds
        candidates: tuple[str, ...] = ()
        malformed, error = 0, ""
        for _ in range(self._config.attempts):
            lacking = question.n - len(candidates)
            if lacking <= 0 or self._now() >= until:
                break
            try:
                answer = self._answer(question, lacking, until)
            except DeviceError as failure:
                error = str(failure)
                continue
            read = read_answer(answer, question.context, candidates)
            candidates += read.candidates[:lacking]
            malformed += read.malformed
        if not candidates and not error:
            error = (
                f"the language model {self._config.model} must answer with Sonic Pi code, but "
                f"nothing it said was any ({malformed} pieces dropped); ask again or another model"
            )
        return question, Proposals(candidates, malformed, "" if candidates else error)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _answer(self, question: Question, n: int, until: float) -> str:
        """What the model says, as text.

        Raises:
            DeviceError: no answer, too late, too long, or no answer of this protocol.
        """
        from httpx2 import HTTPError
        from openai import APIStatusError, OpenAIError

        instructions, asked = asked_for(question.context, question.part, n)
        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=self._config.model,
                messages=[
                    {"role": "system", "content": instructions},
                    {"role": "user", "content": asked},
                ],
                temperature=self._config.temperature,
                max_tokens=self._config.most_tokens,
                timeout=max(0.05, until - self._now()),
            ) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > LONGEST_ANSWER:
                        raise self._failure(f"it sends more than {LONGEST_ANSWER} bytes")
                    if self._now() > until:
                        raise self._failure(f"it takes more than {self._config.seconds:g} s")
        except APIStatusError as error:
            raise self._failure(f"it says {error.status_code}") from error
        except OpenAIError as error:
            cause = error.__cause__ or error
            reason = str(cause).strip() or type(cause).__name__
            raise self._failure(" ".join(reason.split())[:200]) from error
        except HTTPError as error:
            raise self._failure(f"its answer broke off ({type(error).__name__})") from error
        return self._text_of(bytes(body))

    def _text_of(self, body: bytes) -> str:
        try:
            text = json.loads(body)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self._failure("its answer is no chat completion") from error
        if not isinstance(text, str):
            raise self._failure("its answer holds no text")
        return text

    def _failure(self, what: str) -> DeviceError:
        return DeviceError(
            f"the language model at {self._config.base_url} must answer, but {what}; check "
            "code_ranking.desk.model and that it runs"
        )


def check_language_model(config: LanguageModelConfig) -> None:
    """Make sure that the model could be asked, as far as this machine is concerned.

    Raises:
        DeviceError: the package is missing, or the key would travel in the open.
    """
    _client(config).close()


def _client(config: LanguageModelConfig) -> "OpenAI":
    try:
        from openai import OpenAI
    except ImportError as error:
        raise DeviceError(
            "asking a language model needs the package openai; install antiphon[llm]"
        ) from error
    key = os.environ.get(config.key_variable, "")
    if not key.isascii():
        raise DeviceError(
            f"a key must be plain ASCII text, the one in {config.key_variable} is not"
        )
    if key and not _is_private(config.base_url):
        raise DeviceError(
            f"a key must not travel in the open, but {config.base_url} is not https; unset "
            f"{config.key_variable} or name an https address"
        )
    return OpenAI(base_url=config.base_url, api_key=key or NO_KEY, max_retries=0)


def _is_private(url: str) -> bool:
    """Whether nobody else reads what is sent there: https, or this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
