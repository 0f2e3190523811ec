"""The agents' parts: what each hears, what restores it, and how it is built from the config.

Builders run inside the role's own process; heavy imports happen there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from actors.clock import ManualClock, SystemClock
from actors.side_work import OnTheSpot, SideThread
from actors.stage_config import BandConfig, StageConfig
from actors.streams.machinery_messages import CallRoll
from agents.action.memory import Memory
from agents.action.track import Track
from agents.agent import Agent
from agents.messages import (
    AudioIn,
    Clip,
    CodeRanked,
    CodeRequest,
    Control,
    Feedback,
    Fragment,
    HeardLabel,
    MemoryChanged,
    Plan,
    Played,
    Tick,
)
from models.labeller import Labeller

KEPT_CLIP_BYTES = 200 * 10**6
"""Labelled clips that a run keeps; older ones are labelled again if they must be."""


@dataclass(frozen=True)
class Part:
    """An agent's part.

    Args:
        hears: topics that wake it.
        recalls: topics whose recent past it takes up after a restart.
        recall_windows: how far back, windows.
        build: makes the agent from the band's config.
        plays: whether the band has this part at all.
    """

    hears: tuple[str, ...]
    recalls: tuple[str, ...]
    recall_windows: int
    build: Callable[[BandConfig], Agent]
    plays: Callable[[BandConfig], bool] = lambda _: True

    @property
    def topics(self) -> tuple[str, ...]:
        """What a host subscribes to: what wakes the agent, the time, and the roll call."""
        return (Tick.TOPIC, CallRoll.TOPIC, *self.hears)


def build_labeller(config: StageConfig) -> Labeller:
    """The bundle's ear and codebook, at the stage's rate and window."""
    from models.bundle import Bundle

    bundle = Bundle.load(config.bundle)
    return bundle.labeller(config.audio.sample_rate, config.window, config.perception.live)


def ear_fingerprint(config: StageConfig) -> str:
    """Names what hears, so that a memory labelled by another ear is not taken from the cache."""
    from models.bundle import Bundle

    ear = Bundle.load(config.bundle).card.ear
    named = ear.heard_live(config.perception.live).model_dump_json()
    return named if config.windows_per_beat is None else f"{named} in fine windows"


def build_stage_memory(
    config: StageConfig, labeller: Labeller, progress: Callable[[str], None] = lambda _: None
) -> Memory:
    """The stage's memory, from the cache if it was labelled before.

    Args:
        config: files, grid, cache.
        labeller: the bundle's, at the stage's rate and window.
        progress: told a few words before each file.

    Raises:
        ValueError: a file cannot be used.
    """
    from agents.action.memory import build_memory
    from agents.action.track_cache import TrackCache

    return build_memory(
        config.memory,
        labeller,
        config.grid,
        config.n_channels,
        transpose=config.transpose,
        cache=TrackCache(config.cache, config.cache_megabytes * 10**6),
        fingerprint=ear_fingerprint(config),
        progress=lambda name, index, count: progress(f"{name} ({index + 1} of {count})"),
    )


def clip_labeller(config: BandConfig, labeller: Labeller | None = None) -> Callable[[Path], Track]:
    """Reads, cuts and labels a clip, as the memory's own files were.

    What was heard lately is kept in the run's folder: whoever is first pays, and an evolution in
    the background is first.

    Args:
        config: bundle, grid, folder.
        labeller: the bundle's; made at the first call if None.
    """
    made = [] if labeller is None else [labeller]
    fingerprint = ear_fingerprint(config)

    def hear(path: Path) -> Track:
        from agents.action.memory import cached_track
        from agents.action.track_cache import TrackCache

        if not made:
            made.append(build_labeller(config))
        cache = TrackCache(config.out / ".clips", KEPT_CLIP_BYTES)
        track = cached_track(path, made[0], config.grid, config.n_channels, cache, fingerprint)
        cache.prune()
        return track

    return hear


def _build_perception(config: BandConfig) -> Agent:
    from agents.perception.agent import build

    return build(config.perception, build_labeller(config))


def _build_decision(config: BandConfig) -> Agent:
    from agents.decision.agent import build
    from models.bundle import Bundle

    decision = config.decision.model_copy(update={"seed": config.seed})
    bundle = Bundle.load(config.bundle)
    if config.windows_per_beat is not None:  # phrases are in seconds, whatever the tempo
        bundle = replace(
            bundle, card=bundle.card.model_copy(update={"window_seconds": config.window})
        )
    return build(decision, bundle, config.playable, config.rest_share, config.memory_windows)


def _build_action(config: BandConfig) -> Agent:
    from agents.action.agent import ActionAgent
    from agents.action.clips import Clips, SideWork
    from agents.action.navigation import Navigator
    from agents.action.passages import Passages

    labeller = build_labeller(config)
    memory = build_stage_memory(config, labeller)
    distances = labeller.codebook.distances_between()

    def index(memory: Memory) -> tuple[Passages, ...]:
        return tuple(Passages(labels, memory.starts, distances) for labels in memory.labels)

    # the wall may cut a search short, so at fast pace it stands still: same seed, same segments
    clock = SystemClock() if config.pace == "real" else ManualClock()
    navigator = Navigator(
        index(memory), config.action, seed=config.seed, now=clock.now, manner=memory.manner
    )
    # so is the moment at which a new clip is there
    work: SideWork = SideThread() if config.pace == "real" else OnTheSpot()
    clips = Clips(memory, clip_labeller(config, labeller), index, work, config.out / "clips.json")
    return ActionAgent(memory, navigator, config.action, clips)


def _build_code_ranking(config: BandConfig) -> Agent:
    from agents.code_ranking.agent import build

    return build(
        config.code_ranking.agent,
        config.audio.sample_rate,
        config.window,
        is_patient=config.pace == "fast",
        cache=config.cache / "programs.sqlite",
    )


def ranks_code(config: BandConfig) -> bool:
    """Whether code ranking was switched on."""
    return config.code_ranking.enabled


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "perception": Part((AudioIn.TOPIC,), (HeardLabel.TOPIC,), 4, _build_perception),
        "decision": Part(
            (HeardLabel.TOPIC, Control.TOPIC, MemoryChanged.TOPIC),
            (HeardLabel.TOPIC, Plan.TOPIC, Control.TOPIC, MemoryChanged.TOPIC),
            128,
            _build_decision,
        ),
        "action": Part(
            (
                Plan.TOPIC,
                HeardLabel.TOPIC,
                Played.TOPIC,
                Control.TOPIC,
                Feedback.TOPIC,
                Clip.TOPIC,
            ),
            (
                HeardLabel.TOPIC,
                Fragment.TOPIC,
                Played.TOPIC,
                Control.TOPIC,
                Feedback.TOPIC,
                Clip.TOPIC,
            ),
            128,
            _build_action,
        ),
        "code_ranking": Part(
            (AudioIn.TOPIC, Played.TOPIC, CodeRequest.TOPIC),
            (CodeRanked.TOPIC,),
            256,
            _build_code_ranking,
            plays=ranks_code,
        ),
    }
)
"""The agents, in the order of the beat; those beside it last."""


def parts_of(config: BandConfig) -> dict[str, Part]:
    """The parts that are played in this band."""
    return {name: part for name, part in PARTS.items() if part.plays(config)}
