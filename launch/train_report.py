"""The report of a training: what was learned, in words, figures and curves, as one HTML page."""

import io
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from jinja2 import Environment

from models.evaluation import Evaluation
from models.metrics.labels import Interval
from models.training import Progress

STOPPED = {
    "patience": "validation stopped gaining",
    "steps": "all steps were taken",
    "stopped": "the time limit was reached",
    "interrupted": "it was interrupted; the best weights so far were kept",
}


@dataclass(frozen=True)
class TrainingReport:
    """Everything worth knowing about one training.

    Args:
        settings: what was asked for.
        sources: content hash of every file, by song and track.
        notices: sentences for the user.
        n_labels: K.
        n_windows: labelled windows of all tracks.
        split: what was held out, in words.
        stopped: why training ended.
        history: all validations.
        best_step: the step whose weights are kept.
        evaluation: figures on held-out material; None if nothing in it plays.
        seconds: what it all took.
    """

    settings: dict[str, Any]
    sources: dict[str, dict[str, str]]
    notices: list[str]
    n_labels: int
    n_windows: int
    split: str
    stopped: str
    history: list[Progress]
    best_step: int
    evaluation: Evaluation | None
    seconds: float

    @property
    def learned(self) -> bool:
        """One of the models tells held-out answers better with what is heard than without."""
        gains = self.evaluation.gains if self.evaluation else {}
        names = ("bits saved by heard over unigram", "bits saved by counts over unigram")
        return any(name in gains and gains[name].is_above_zero for name in names)

    @property
    def verdict(self) -> str:
        """Whether anything was learned, in one or two sentences."""
        if self.evaluation is None:
            return "Nothing can be said: in the held-out material the answer never plays."
        gains = self.evaluation.gains
        heard = gains["bits saved by heard over unigram"]
        counts = gains["bits saved by counts over unigram"]
        if not self.learned:
            return (
                "Nothing was learned: what is heard does not help to tell what is answered "
                f"(transformer {_signed(heard)}, counting {_signed(counts)} bit per window saved "
                "over label frequencies)."
            )
        best = "The transformer" if heard.mean >= counts.mean else "Counting"
        gain = heard if heard.mean >= counts.mean else counts
        lead = gains["bits saved by heard over counts"]
        return (
            f"A relation was learned. {best} saves {_signed(gain)} bit per window over label "
            f"frequencies by listening; the transformer against counting: {_signed(lead)} bit, "
            f"{_compared(lead)}."
        )

    @property
    def statements(self) -> list[tuple[str, str, str]]:
        """Every comparison: its name, the difference with interval, and what that means."""
        gains = self.evaluation.gains if self.evaluation else {}
        return [(name, _signed(gain), _compared(gain)) for name, gain in gains.items()]


def _signed(gain: Interval) -> str:
    return f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"


def _compared(gain: Interval) -> str:
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no difference can be told"


def json_page(report: TrainingReport) -> bytes:
    """The report for machines; NaN becomes null."""
    content = asdict(report) | {"learned": report.learned, "verdict": report.verdict}
    return json.dumps(_without_nan(content), indent=1, ensure_ascii=False).encode()


def _without_nan(value: Any) -> Any:  # noqa: ANN401
    """A copy in which every number is finite or None."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def curves(history: list[Progress], best_step: int) -> str:
    """Loss over steps as inline SVG."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot(xlabel="step", ylabel="nats per window")
    steps = [p.step for p in history]
    axes.plot(steps, [p.train_loss for p in history], label="training (with dropout)")
    axes.plot(steps, [p.validation_loss for p in history], label="validation")
    axes.axvline(best_step, color="gray", linestyle=":", label="kept")
    axes.legend()
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Training report</title>
<style>body{font:16px/1.5 sans-serif;max-width:56em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:left;
border-bottom:1px solid #ccc}.verdict{font-size:1.2em;padding:1em;border-left:.4em solid
{{ "#2a7" if r.learned else "#c63" }};background:#f6f6f6}svg{max-width:100%;height:auto}</style>
<h1>Training report</h1><p class="verdict">{{ r.verdict }}</p>
{% for notice in r.notices %}<p>{{ notice }}</p>{% endfor %}
<p>{{ r.sources|length }} song(s), {{ r.n_windows }} windows of
{% if r.settings.windows_per_beat %}1/{{ r.settings.windows_per_beat }} beat, usually {% endif %}
{{ r.settings.window_seconds }} s,
{{ r.n_labels }} classes. Split {{ r.split }}. The alphabet was made from all windows, the models
were not. Training ended because {{ stopped }}; weights of step {{ r.best_step }} are kept.
It all took {{ "%.0f"|format(r.seconds) }} s.</p>
{% if e %}<h2>Against what needs no learning</h2>
<p>Differences on {{ e.n_active }} held-out windows in which the answer plays, with 95 % bootstrap
intervals (with fewer than eight held-out songs they speak of these songs only). "Heard" is the
transformer without its own past: the relation between the tracks alone. TPP in points.</p>
<table><tr><th>comparison<th>difference<th>in words</tr>
{% for name, gain, words in r.statements %}<tr><td>{{ name }}<td>{{ gain }}<td>{{ words }}</tr>
{% endfor %}</table>
<h2>Bits per window</h2><table>{% for name, value in e.bits.items() %}
<tr><td>{{ name }}<td>{{ "%.2f"|format(value) }}</tr>{% endfor %}</table>
<p>Heard, by windows ahead: {% for b in e.horizon_bits %}{{ "%.2f"|format(b) }} {% endfor %}bits.
Silence, bits per window: {% for name, b in e.silence_bits.items() %}{{ name }}
{{ "%.2f"|format(b) }}{{ ", " if not loop.last }}{% endfor %}.</p>
{% for title, systems in (("Greedy", e.greedy), ("Sampled (nucleus 0.8)", e.sampled)) %}
<h2>{{ title }}, playing freely</h2>
<table><tr><th>system<th>TPP %<th>LCP, windows<th>entropy, bits<th>mean run</tr>
{% for name, m in systems.items() %}<tr><td>{{ name }}<td>{{ "%.1f"|format(m.tpp) }}
<td>{{ "%.2f"|format(m.lcp) }}<td>{{ "%.2f"|format(m.entropy) }}
<td>{{ "%.2f"|format(m.mean_run) }}</tr>{% endfor %}</table>{% endfor %}
<p>The true answer: entropy {{ "%.2f"|format(e.truth.entropy) }} bits, mean run
{{ "%.2f"|format(e.truth.mean_run) }}. Never compare greedy with sampled figures.</p>
<h2>Told the true past</h2><p>These look splendid and are the score of repeating:
{% for name, v in e.teacher_forced.items() %}{{ name }} {{ "%.1f"|format(v) }} %{{ ", " if not
loop.last }}{% endfor %}.</p>{% endif %}
<h2>Loss</h2>{{ curves|safe }}
<h2>Material</h2><table>{% for song, tracks in r.sources.items() %}{% for track, hash in
tracks.items() %}<tr><td>{{ song }}<td>{{ track }}<td><code>{{ hash[:16] }}</code></tr>
{% endfor %}{% endfor %}</table></html>
"""


def html_page(report: TrainingReport) -> str:
    """The report for people: one self-contained page."""
    template = Environment(autoescape=True).from_string(PAGE)
    return template.render(
        r=report,
        e=report.evaluation,
        stopped=STOPPED.get(report.stopped, report.stopped),
        curves=curves(report.history, report.best_step),
    )
