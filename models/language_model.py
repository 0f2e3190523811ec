"""A language model behind any OpenAI-compatible endpoint: bounded in time, size and tries.

It may answer nonsense or never: then there is no answer, the reason is counted, and whoever asked
goes on without. The key comes from the environment and is written nowhere. Blocks while it asks.
"""

import os
import re
from collections import Counter
from typing import Any

from pydantic import BaseModel, Field

__all__ = ["LanguageModel", "LanguageModelConfig", "tagged"]


class LanguageModelConfig(BaseModel, frozen=True, extra="forbid"):
    """Which model, and how long it is waited for."""

    base_url: str = Field(
        default="", description="Such as http://127.0.0.1:11434/v1; empty asks no model."
    )
    model: str = Field(default="", description="As the server names it.")
    key_variable: str = Field(
        default="OPENAI_API_KEY", description="Environment variable that holds the key, if any."
    )
    temperature: float = Field(default=0.8, ge=0, le=2, description="Of its sampling.")
    most_tokens: int = Field(default=4000, ge=16, le=100_000, description="Length of an answer.")
    timeout_seconds: float = Field(default=30.0, gt=0, le=600, description="For one try.")
    tries: int = Field(default=2, ge=1, le=10, description="Before it counts as no answer.")
    most_failures: int = Field(
        default=3, ge=1, description="Unanswered in a row, after which it is not asked again."
    )


class LanguageModel:
    """Asks one server.

    Args:
        config: which.

    Raises:
        ValueError: no server or model is named, or a key would go to another machine in the open.
        ImportError: the package openai is not installed.
    """

    def __init__(self, config: LanguageModelConfig) -> None:
        if not config.base_url or not config.model:
            raise ValueError(
                "a language model needs base_url and model, got "
                f"{config.base_url!r} and {config.model!r}"
            )
        from openai import OpenAI

        key = os.environ.get(config.key_variable, "")
        private = re.match(r"https://|http://(localhost|127\.|\[::1\])", config.base_url)
        if key and not private:
            raise ValueError(
                f"a key must not travel in the open, but {config.base_url} is not https; "
                f"unset {config.key_variable} or name an https address"
            )
        self.config = config
        self._client: Any = OpenAI(
            base_url=config.base_url,
            api_key=key or "none",
            max_retries=0,
            timeout=config.timeout_seconds,
        )
        self.failures: Counter[str] = Counter()
        self.n_asked = 0
        self._in_a_row = 0

    @property
    def has_given_up(self) -> bool:
        """Whether it failed so often in a row that it is not asked any more."""
        return self._in_a_row >= self.config.most_failures

    def ask(self, system: str, user: str) -> str | None:
        """The model's answer; None if there was none in all tries (see `failures`)."""
        if self.has_given_up:
            return None
        from openai import OpenAIError

        for _ in range(self.config.tries):
            self.n_asked += 1
            try:
                answer = self._client.chat.completions.create(
                    model=self.config.model,
                    messages=[
                        {"role": "system", "content": system},
                        {"role": "user", "content": user},
                    ],
                    temperature=self.config.temperature,
                    max_tokens=self.config.most_tokens,
                )
                text = answer.choices[0].message.content
            except (OpenAIError, ValueError, LookupError, TypeError, AttributeError) as error:
                self.failures[type(error).__name__] += 1
                continue
            if isinstance(text, str) and text.strip():
                self._in_a_row = 0
                return text
            self.failures["empty answer"] += 1
        self._in_a_row += 1
        return None


def tagged(answer: str, tag: str = "prompt", longest: int = 6000) -> list[str]:
    """What stands between <tag> and </tag>, one text each, none twice.

    Reasoning before it is cut off. A closing tag that is missing ends where the next one opens, so
    that one slip does not spoil the answer.
    """
    answer = re.split(r"</think(?:ing)?>", answer)[-1]
    pattern = rf"<{tag}>(.*?)(?=</{tag}>|<{tag}>|\Z)"
    found = (text.strip() for text in re.findall(pattern, answer, re.S | re.I))
    return list(dict.fromkeys(text for text in found if 0 < len(text) <= longest))
