"""A language model behind any OpenAI-compatible endpoint: bounded in time, size and attempts.

Any server will do that speaks the chat protocol (a model on this machine, a service). What comes
back is text from a stranger. The key comes from the environment and is written nowhere. Blocks
while it asks: call it on a thread of its own.
"""

import ipaddress
import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ["LONGEST_ANSWER", "LanguageModel", "LanguageModelConfig", "LanguageModelError"]

LONGEST_ANSWER: Final = 1_000_000
"""Bytes; a server that sends more is not read on."""
NO_KEY: Final = "none"
"""What a server that wants no key is told."""


class LanguageModelError(RuntimeError):
    """The model cannot be asked, or does not answer; the message is one sentence for the user."""


class LanguageModelConfig(BaseModel, frozen=True, extra="forbid"):
    """Which language model is asked; the key itself stands in no config."""

    base_url: str  # such as http://127.0.0.1:11434/v1
    model: str = Field(min_length=1)  # as the server names it
    key_variable: str = "OPENAI_API_KEY"  # environment variable that holds the key, if any
    seconds: float = Field(20.0, gt=0, le=600)  # for all attempts of one asking together
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


class LanguageModel:
    """Asks one server.

    Args:
        config: which.
        now: monotonic seconds.

    Raises:
        LanguageModelError: the package is missing, or the key would travel in the open.
    """

    def __init__(
        self, config: LanguageModelConfig, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.config = config
        self.now = now
        self._client = _client(config)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def answer(self, system: str, user: str, until: float) -> str:
        """What the model says.

        Args:
            system: the instructions.
            user: the question.
            until: when it is too late, on the clock of `now`.

        Raises:
            LanguageModelError: no answer, too late, too long, or no answer of this protocol.
        """
        from httpx2 import HTTPError
        from openai import APIStatusError, OpenAIError

        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=self.config.model,
                messages=[
                    {"role": "system", "content": system},
                    {"role": "user", "content": user},
                ],
                temperature=self.config.temperature,
                max_tokens=self.config.most_tokens,
                timeout=max(0.05, until - self.now()),
            ) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > LONGEST_ANSWER:
                        raise self._failure(f"it sends more than {LONGEST_ANSWER} bytes")
                    if self.now() > until:
                        raise self._failure(f"it takes more than {self.config.seconds:g} s")
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

    def _failure(self, what: str) -> LanguageModelError:
        return LanguageModelError(
            f"the language model at {self.config.base_url} must answer, but {what}; check "
            "the address and that it runs"
        )


def _client(config: LanguageModelConfig) -> "OpenAI":
    try:
        from openai import OpenAI
    except ImportError as error:
        raise LanguageModelError(
            "asking a language model needs the package openai; install antiphon[llm]"
        ) from error
    key = os.environ.get(config.key_variable, "")
    if not key.isascii():
        raise LanguageModelError(
            f"a key must be plain ASCII text, the one in {config.key_variable} is not"
        )
    if key and not _is_private(config.base_url):
        raise LanguageModelError(
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
