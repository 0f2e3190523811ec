"""What an evolution in the background of a stage needs to know.

Every process of the band reads this, so nothing heavy is imported here: the settings of the parts
that evolve are plain tables, which `evolution_studio.Shapes` checks.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from actors.throttle import ThrottleConfig


def _host_and_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    try:
        ip_address(host)
        in_range = 1024 <= int(port) <= 65535
    except ValueError:
        in_range = False
    if not in_range:
        raise ValueError(
            f"must be an IP address of this machine and a port, such as 192.168.1.5:6379, "
            f"got {address!r}"
        )
    return address


NodeAddress = Annotated[str, AfterValidator(_host_and_port)]
"""HOST:PORT of this machine, in numbers: where other machines join its Ray."""


class StageEvolutionConfig(BaseModel, frozen=True, extra="forbid"):
    """An evolution in the background, toward whoever gives feedback."""

    enabled: bool = Field(default=False, description="Whether there is one.")
    taste: Path | None = Field(default=None, description="The taste model, of `antiphon taste`.")
    songs: Path | None = Field(
        default=None, description="Folder of real music that clips are held against, 20 at least."
    )
    folder: Path = Field(
        default=Path("runs/evolution"),
        description="Checkpoint and clips: carried on from show to show.",
    )
    generator: Literal["sonic-pi", "musicgen"] = Field(
        default="sonic-pi", description="What is bred: programs, or prompts for MusicGen."
    )
    model: str = Field(
        default="", description="MusicGen: a folder written by save_pretrained, or a hub id."
    )
    show: Literal["free", "paid"] = Field(
        default="free", description="A paid show refuses generators whose terms forbid it."
    )
    seconds: float = Field(default=6.0, ge=1, le=60, description="Length of each clip.")
    workers: int = Field(default=1, ge=1, le=64, description="Clips made at once.")
    patience_seconds: float = Field(
        default=120.0, gt=0, description="Longest time for one clip before it counts as failed."
    )
    priority: Literal["idle", "low", "normal"] = Field(
        default="idle",
        description="idle: workers work when nobody else wants to; normal: as everybody.",
    )
    accept: float = Field(
        default=0.0, description="Fitness from which on a generation's best enters the memory."
    )
    most_files: int = Field(default=500, ge=1, description="Clips kept on disk.")
    address: NodeAddress | None = Field(
        default=None,
        description="HOST:PORT of this machine at which others join its Ray; none: it is alone.",
    )
    resources: dict[str, float] = Field(
        default={}, description="What a worker's node must have, as named by ray start --resources."
    )
    shape: dict[str, float] = Field(
        default={"population": 16, "elites": 0.125, "enough": 0.8},
        description="Settings of population.EvolutionConfig, by name.",
    )
    genetic: dict[str, float | None] = Field(
        default={}, description="Settings of program_genetic.GeneticConfig, by name."
    )
    breeding: dict[str, float] = Field(
        default={}, description="Settings of breeding.BreedingConfig, by name."
    )
    fitness: dict[str, float] = Field(
        default={}, description="Weights of fitness.FitnessConfig, by name."
    )
    throttle: ThrottleConfig = ThrottleConfig()
