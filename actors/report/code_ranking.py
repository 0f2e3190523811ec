"""What a run's journal says about code ranking: asked, answered, how soon, on which tiers."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from actors.streams.codec import Envelope
from agents.messages import CodeRanked, CodeRequest, CodeSent, Metric
from models.metrics import timing

CODE_TOPICS: Final = (CodeRequest.TOPIC, CodeRanked.TOPIC, CodeSent.TOPIC)


def summarize_code(envelopes: Iterable[Envelope]) -> dict[str, Any] | None:
    """The figures of code ranking; None if nothing was asked.

    Times are those of the messages, so that at fast pace they are 0. A request that a language
    model answered counts from its proposals on, the asking is counted apart.

    Args:
        envelopes: of `CODE_TOPICS` and metrics, in order of arrival; others are passed over.
    """
    asked: dict[str, float] = {}
    proposals: set[str] = set()
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    tiers: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    malformed: dict[str, int] = {}
    failed: set[str] = set()
    totals: dict[str, int] = {}
    for envelope in envelopes:
        match envelope.message:
            case CodeRequest(request=name) as request:
                asked[name] = envelope.time
                if request.propose and not request.candidates:
                    proposals.add(name)
            case CodeRanked(request=name) as ranked:
                malformed[name] = max(malformed.get(name, 0), ranked.malformed)
                if not ranked.order:
                    failed.add(name)
                    continue
                if name in asked:
                    first.setdefault(name, envelope.time - asked[name])
                    if ranked.final:
                        last[name] = envelope.time - asked[name]
                if ranked.final:
                    tiers.update(ranked.tiers[: len(ranked.chosen)])
            case CodeSent(destination=destination):
                sent[destination] += 1
            case Metric(name="code_ranking.dropped" | "code_ranking.refused") as metric:
                totals[metric.name.rpartition(".")[2]] = int(metric.value)
            case _:
                pass
    if not asked and not failed:
        return None
    return {
        "asked": len(asked),
        "asked_of_language_model": len(proposals),
        "answered": len(first),
        "without_ranking": len(failed - set(first)),
        "dropped": totals.get("dropped", 0),
        "refused": totals.get("refused", 0),
        "malformed_proposals": sum(malformed.values()),
        "chosen_by_tier": dict(sorted(tiers.items())),
        "sent": dict(sorted(sent.items())),
        "first_answer_ms": _milliseconds(list(first.values())),
        "last_answer_ms": _milliseconds(list(last.values())),
    }


def _milliseconds(seconds: list[float]) -> dict[str, float | None]:
    return timing.quantiles([1000.0 * value for value in seconds], ("p50", "p95"))
