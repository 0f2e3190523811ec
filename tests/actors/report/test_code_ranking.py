"""What a journal says about code ranking."""

import pytest

from actors.report.code_ranking import summarize_code
from actors.streams.codec import Envelope
from agents.messages import CodeRanked, CodeRequest, CodeSent, Metric


def at(time, message):
    return Envelope(message.TOPIC, "someone", 1, 0, message.window, time, message, time)


def request(name, propose=0):
    candidates = () if propose else ("play 1", "play 2")
    return CodeRequest(3, name, "", candidates, "diversity", 1, propose)


def ranked(name, *tiers, final=True, malformed=0):
    order = tuple(range(len(tiers)))
    return CodeRanked(
        3, name, "diversity", "", ("play 1", "play 2"), order, (1.0,) * len(order), tiers,
        order[:1], (), malformed, final,
    )  # fmt: skip


def test_a_run_without_code_says_nothing():
    assert summarize_code([at(0.0, Metric(1, "action.step_ms", 2.0))]) is None


def test_requests_answers_tiers_times_and_losses_are_counted():
    summary = summarize_code(
        [
            at(1.0, request("osc-1")),
            at(1.1, ranked("osc-1", "static", "static", final=False)),
            at(3.0, ranked("osc-1", "heard", "static")),
            at(4.0, request("osc-2")),
            at(4.0, Metric(3, "code_ranking.dropped", 1.0)),
            at(4.0, ranked("osc-2")),
            at(5.0, request("model-3", propose=3)),
            at(7.0, request("model-3")),
            at(7.3, ranked("model-3", "events", "static", malformed=2)),
            at(8.0, CodeSent(3, "osc-1", 0, "sonic_pi", "port 4557")),
            at(9.0, Metric(3, "code_ranking.refused", 4.0)),
        ]
    )
    assert summary["first_answer_ms"]["p50"] == pytest.approx(200.0)  # of 100 and 300
    assert round(summary["last_answer_ms"]["p50"]) == 1150  # of 2000 and 300
    del summary["first_answer_ms"], summary["last_answer_ms"]
    assert summary == {
        "asked": 3,
        "asked_of_language_model": 1,
        "answered": 2,
        "without_ranking": 1,
        "dropped": 1,
        "refused": 4,
        "malformed_proposals": 2,
        "chosen_by_tier": {"events": 1, "heard": 1},
        "sent": {"sonic_pi": 1},
    }
