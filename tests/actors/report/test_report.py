"""The report of whole, short, missed, crashed and hours-long runs, from synthetic messages."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from actors.report.report import MemorySource, strict_json, summarize, write_report
from actors.streams.machinery_messages import Fault
from agents.messages import SILENCE, Fragment, HeardLabel, Metric, Played

RATE = 8000
DELTA = 0.25


def heard_label(window, label, energy_db=-20.0):
    return HeardLabel(window, label, 0.4, energy_db, 0.1, -18.0)


def played_window(window, label=3, segment=7, reason="continuation", **changes):
    fields = {
        "wanted": label,
        "staleness": 0,
        "reaction_seconds": 0.012,
        "foreseen_stood": True,
        "underruns": 0,
    }
    return Played(window, label, segment=segment, reason=reason, **{**fields, **changes})


def missed_window(window):
    return Played(window, SILENCE, SILENCE, SILENCE, "missed", 0, None, False, 0)


def fragment(window, segment, label=3):
    samples = np.zeros((0, 1), np.float32)
    return Fragment(window, window, label, label, segment, "continuation", True, 0, samples)


def summary_of(played, heard=(), metrics=(), fragments=(), **changes):
    known = {
        "window_seconds": DELTA,
        "pace": "real",
        "seed": 7,
        "restarts": 0,
        "finished": True,
    }
    return summarize(played, heard, metrics, fragments, **{**known, **changes})


def performance(n_windows, seed=1):
    """Messages of a plausible run: held notes, walks along a memory, jumps, one bad moment."""
    rng = np.random.default_rng(seed)
    heard, played, metrics, segment, label, answer = [], [], [], 0, 0, 0
    for k in range(n_windows):
        if rng.random() < 0.4:
            label = int(rng.integers(16))
        silent = 30 <= k % 240 < 38
        heard.append(heard_label(k, SILENCE if silent else label, -90.0 if silent else -18.0))
        jump = rng.random() < 0.15
        segment = int(rng.integers(900)) if jump else (segment + 1) % 900
        answer = (label * 5 + int(rng.integers(3))) % 16 if rng.random() < 0.4 else answer
        reason = (
            str(rng.choice(["jump", "scenario", "suffix", "nearest"])) if jump else "continuation"
        )
        reaction = float(rng.lognormal(np.log(0.014), 0.3))
        if k % 97 == 96:
            played.append(missed_window(k))
        elif silent:
            played.append(played_window(k, SILENCE, SILENCE, "silence", reaction_seconds=reaction))
        else:
            stood = bool(rng.random() < 0.7)
            played.append(
                played_window(k, answer, segment, reason, reaction_seconds=reaction,
                              foreseen_stood=stood)
            )  # fmt: skip
        for role, centre in (("perception", 4.0), ("decision", 6.0), ("action", 1.5)):
            metrics.append(Metric(k, f"{role}.step_ms", float(rng.lognormal(np.log(centre), 0.2))))
        metrics.append(Metric(k, "audio.limiter_db", 2.5 if k % 200 == 0 else 0.0))
        metrics.append(Metric(k, "label.hop_ms", float(rng.lognormal(np.log(0.4), 0.3))))
    return played, heard, metrics


def write_sound(path, seconds, seed=1, level=0.4):
    """Plucked tones on the grid, louder and softer."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * time / 17 + seed)
    pluck = np.exp(-9 * (time % 0.5)) * np.sin(2 * np.pi * 220 * time)
    soundfile.write(path, level * swell * pluck + 0.01 * rng.standard_normal(len(time)), RATE)


class Page(HTMLParser):
    """Collects what a browser would fetch, and checks that tags close."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self, text):
        super().__init__()
        self.open, self.fetched, self.tags = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in {"src", "href", "xlink:href"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def written(tmp_path, summary, **options):
    json_path, html_path = write_report(tmp_path, summary, **options)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    figures = json.loads(json_path.read_text(encoding="utf-8"), parse_constant=refuse)
    text = html_path.read_text(encoding="utf-8")
    return figures, text, Page(text)


def test_summary_has_every_figure_that_was_promised():
    summary = summary_of(*performance(20))
    promised = """windows window_seconds pace seed isr isrw staleness_mean anticipation misses
    underruns reaction_ms stages_ms stream_ms restarts labels_in labels_out segments finished"""
    assert set(promised.split()) <= set(summary)
    assert set(summary["reaction_ms"]) == {"p50", "p95", "p99", "max"}
    assert set(summary["stages_ms"]) == {"perception", "decision", "action"}
    assert set(summary["stages_ms"]["decision"]) == set(summary["stream_ms"]) == {"p50", "p99"}


def test_figures_of_four_windows_agree_with_a_count_by_hand():
    played = [
        played_window(0, segment=4, reaction_seconds=0.010),
        played_window(1, segment=5, reaction_seconds=None, staleness=1, underruns=2),
        missed_window(2),
        played_window(3, segment=9, reason="jump", reaction_seconds=0.030, foreseen_stood=False),
    ]
    heard = [heard_label(k, label) for k, label in enumerate([1, 1, SILENCE, 2])]
    summary = summary_of(played, heard, restarts=1)
    assert summary["windows"] == 4
    assert summary["isr"] == 0.75
    assert summary["isrw"] == pytest.approx((1 + 31 / 32 + 0 + 1) / 4)
    assert (summary["misses"], summary["underruns"], summary["restarts"]) == (1, 2, 1)
    assert summary["anticipation"] == 0.5
    assert summary["reaction_ms"]["max"] == pytest.approx(30.0)
    assert summary["labels_in"] == [1, 1, SILENCE, 2]
    assert summary["segments"] == [4, 5, SILENCE, 9]
    assert summary["reason_counts"] == {"continuation": 2, "jump": 1, "missed": 1}


def test_times_come_from_the_metrics_of_their_name():
    values = [("decision.step_ms", 5.0), ("a.hop_ms", 1.0), ("b.hop_ms", 3.0), ("x.y", 99.0)]
    summary = summary_of([played_window(0)], metrics=[Metric(0, *value) for value in values])
    assert summary["stages_ms"]["decision"] == {"p50": 5.0, "p99": 5.0}
    assert summary["stages_ms"]["action"] == {"p50": None, "p99": None}
    assert summary["stream_ms"]["p50"] == 2.0


def test_limiter_share_is_the_share_of_windows_in_which_it_was_heard():
    metrics = [Metric(k, "audio.limiter_db", value) for k, value in enumerate([0, 0.05, 3, 0])]
    assert summary_of([played_window(0)], metrics=metrics)["limiter_share"] == 0.25
    assert summary_of([played_window(0)])["limiter_share"] is None


def test_lists_per_window_are_all_as_long_as_the_run():
    summary = summary_of(*performance(33))
    per_window = [value for name, value in summary.items()
                  if isinstance(value, list) and name not in {"faults", "memory"}]  # fmt: skip
    assert len(per_window) == 10
    assert {len(value) for value in per_window} == {33}


def test_a_window_nobody_spoke_of_counts_as_missed():
    summary = summary_of([played_window(0), played_window(2)])
    assert summary["reasons"] == ["continuation", "unreported", "continuation"]
    assert summary["misses"] == 1
    assert summary["labels_in"] == [None, None, None]


def test_messages_out_of_order_and_doubled_give_the_same_summary():
    played, heard, metrics = performance(40)
    shuffled = summary_of([*played[::-1], *played], heard[::-1], metrics[::-1])
    assert strict_json(shuffled) == strict_json(summary_of(played, heard, metrics))


def test_a_run_that_only_heard_is_as_long_as_what_it_heard():
    summary = summary_of([], [heard_label(k, 1) for k in range(3)])
    assert (summary["windows"], summary["misses"], summary["isr"]) == (3, 3, 0.0)


def test_extra_entries_join_but_never_hide_a_figure():
    assert summary_of([played_window(0)], extra={"startup_seconds": 6.5})["startup_seconds"] == 6.5
    with pytest.raises(ValueError, match=r"must not hide a figure, got \['isr', 'segments'\]"):
        summary_of([played_window(0)], extra={"isr": 1.0, "segments": []})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"window_seconds": 0.0}, "window_seconds must be above 0"),
        ({"window_seconds": float("nan")}, "window_seconds must be above 0"),
        ({"restarts": -1}, "restarts must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        summary_of([played_window(0)], **changes)


def test_json_never_holds_nan_or_infinity():
    heard = [heard_label(0, SILENCE, energy_db=-np.inf)]
    extra = {"startup_seconds": float("nan"), "settings": {"x": np.float32(2.0)}}
    figures = json.loads(strict_json(summary_of([missed_window(0)], heard, extra=extra)))
    assert figures["energy_db"] == [None]
    assert figures["startup_seconds"] is None
    assert figures["settings"]["x"] == 2.0


def test_page_of_a_whole_run_needs_no_network_and_no_script(tmp_path):
    played, heard, metrics = performance(480)
    write_sound(tmp_path / "input.wav", 120, seed=2)
    write_sound(tmp_path / "accompaniment.wav", 120, seed=3)
    faults = [Fault(96, "decision", "restart", "its process died and was started again")]
    summary = summary_of(
        played, heard, metrics, [fragment(0, 7)], restarts=1, faults=faults,
        memory=[MemorySource("cello.wav", 0), MemorySource("voice.wav", 400)],
        extra={"startup_seconds": 7.4, "peak_memory_mb": 2310.0},
    )  # fmt: skip
    figures, text, page = written(tmp_path, summary)
    assert not page.open
    assert "script" not in page.tags
    assert {url for url in page.fetched if not url.startswith(("#", "data:"))} == {
        "input.wav", "accompaniment.wav"}  # fmt: skip
    assert not re.search(r"url\((?!#)|@import", text)
    assert page.tags.count("svg") == 12 + 1 + 1 + 2
    assert "its process died" in text
    assert figures["peak_dbfs"]["input"] == pytest.approx(-8.0, abs=1.5)
    assert len(text) < 3_000_000


def test_page_escapes_what_it_quotes(tmp_path):
    faults = [Fault(0, "osc", "malformed", "<script>alert('x')</script>")]
    memory = [MemorySource("a<b>&.wav", 0)]
    summary = summary_of([played_window(0)], faults=faults, memory=memory)
    _, text, page = written(tmp_path, summary)
    assert "script" not in page.tags
    assert "a&lt;b&gt;&amp;.wav" in text


def test_pictures_take_the_colours_of_the_page_in_light_and_dark(tmp_path):
    _, text, _ = written(tmp_path, summary_of(*performance(8)))
    assert "stroke: var(--grid)" in text
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"#0([1-6])(?:0\1){2}\b", text)


@pytest.mark.parametrize(
    "played",
    [[], [played_window(0)], [missed_window(k) for k in range(5)],
     [played_window(k, SILENCE, SILENCE, "silence", reaction_seconds=None) for k in range(9)],
     [played_window(k, reaction_seconds=0.0) for k in range(2)]],
    ids=["no window", "one window", "all missed", "silence and no answer", "instant answers"],
)  # fmt: skip
def test_page_is_written_whatever_little_happened(tmp_path, played):
    figures, text, page = written(tmp_path, summary_of(played, finished=False))
    assert figures["windows"] == len(played)
    assert not page.open
    assert "Stopped before the end" in text


def test_page_says_which_sound_is_missing_or_unreadable(tmp_path):
    write_sound(tmp_path / "input.wav", 2)
    (tmp_path / "accompaniment.wav").write_bytes(b"RIFF broken")
    _, text, page = written(tmp_path, summary_of(*performance(8)))
    assert "Missing or unreadable: accompaniment.wav, mix.wav" in text
    assert "input.wav" in page.fetched
    assert "accompaniment.wav" not in page.fetched


def test_a_truncated_sound_is_drawn_as_far_as_it_goes(tmp_path):
    write_sound(tmp_path / "input.wav", 2)
    whole = (tmp_path / "input.wav").read_bytes()
    (tmp_path / "input.wav").write_bytes(whole[: len(whole) // 2])
    figures, text, _ = written(tmp_path, summary_of(*performance(8)))
    assert figures["peak_dbfs"]["input"] is not None
    assert "unreadable: accompaniment.wav" in text


def test_an_hours_long_run_gives_a_page_of_bounded_size(tmp_path):
    n_windows = 2 * 3600 * 4
    rng = np.random.default_rng(3)
    played = [played_window(k, int(rng.integers(64)), int(rng.integers(5000)), "jump")
              for k in range(n_windows)]  # fmt: skip
    heard = [heard_label(k, k // 8 % 64) for k in range(n_windows)]
    figures, text, page = written(tmp_path, summary_of(played, heard))
    assert figures["windows"] == n_windows
    assert page.tags.count("svg") <= 40
    assert len(text) < 12_000_000


def test_the_same_run_gives_the_same_bytes(tmp_path):
    summary = summary_of(*performance(30))
    (tmp_path / "run").mkdir()
    first = [path.read_bytes() for path in write_report(tmp_path / "run", summary)]
    again = [path.read_bytes() for path in write_report(tmp_path / "run", summary)]
    assert first == again


def test_a_report_that_cannot_be_written_leaves_no_part_behind(tmp_path):
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OSError, match=r"report\.json"):
        write_report(tmp_path, summary_of([played_window(0)]))
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
