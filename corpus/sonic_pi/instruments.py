"""What the unroller must know of Sonic Pi's synths, effects and samples where none is installed.

Facts only: names, default arguments, lengths. `instruments.json` beside this file holds those of
Sonic Pi 3.2.2; `read_instruments` reads them anew from an installation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import soundfile

__all__ = [
    "Instruments",
    "SampleFacts",
    "read_instruments",
    "stored_instruments",
    "write_instruments",
]

STORED: Final = Path(__file__).with_name("instruments.json")
_PREFIX: Final = "sonic-pi-"


@dataclass(frozen=True)
class SampleFacts:
    """Length of a sample in seconds, > 0, and its channels, 1 or 2."""

    seconds: float
    channels: int


@dataclass(frozen=True)
class Instruments:
    """Facts by name.

    Args:
        defaults: arguments of synths, of effects ("fx_reverb") and of sample players.
        samples: what is known of each sample, in order of names.
    """

    defaults: Mapping[str, Mapping[str, float]]
    samples: Mapping[str, SampleFacts]

    def has_synth(self, name: str) -> bool:
        """Whether there is a synth of that name."""
        return name in self.defaults and not name.startswith("fx_") and "player" not in name


@lru_cache(maxsize=1)
def stored_instruments() -> Instruments:
    """The facts kept with this package.

    Raises:
        OSError: the file is missing.
    """
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    samples = {name: SampleFacts(*facts) for name, facts in stored["samples"].items()}
    return Instruments(stored["defaults"], samples)


def read_instruments(
    synthdefs: Mapping[str, Mapping[str, float]], sample_folder: Path
) -> Instruments:
    """The facts of an installation.

    Args:
        synthdefs: default arguments of each synth definition (`ForkServer.synthdefs`).
        sample_folder: of the installed samples.
    """
    defaults = {
        name.removeprefix(_PREFIX): {
            key: value
            for key, value in sorted(arguments.items())
            if "_slide" not in key and "_shape" not in key
        }
        for name, arguments in sorted(synthdefs.items())
        if "mixer" not in name and "live_audio" not in name
    }
    samples = {}
    for path in sorted(sample_folder.glob("*.flac")):
        about = soundfile.info(path)
        samples[path.stem] = SampleFacts(about.frames / about.samplerate, about.channels)
    return Instruments(defaults, samples)


def write_instruments(instruments: Instruments, path: Path = STORED) -> None:
    """Stores facts as JSON, one instrument to a line.

    Raises:
        OSError: the file cannot be written.
    """
    defaults = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(dict(arguments), separators=(',', ':'))}"
        for name, arguments in instruments.defaults.items()
    )
    samples = ",\n".join(
        f"{json.dumps(name)}: [{facts.seconds!r}, {facts.channels}]"
        for name, facts in instruments.samples.items()
    )
    path.write_text(
        f'{{"defaults": {{\n{defaults}\n}},\n"samples": {{\n{samples}\n}}}}\n', encoding="utf-8"
    )
