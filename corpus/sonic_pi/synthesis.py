"""Sound from a score: `scsynth` without real time, in a sandbox, with a frozen clock.

The clock seeds scsynth's noise generators; frozen at one date, the same score gives the same
bytes. Sonic Pi's synth definitions have filters above 16 kHz and saturate at low sampling rates:
render at 44.1 kHz and resample afterwards. Blocks are of 64 samples, as in the real server: other
sizes change levels.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from corpus.sonic_pi.events import REAL_TIME
from corpus.sonic_pi.install import Installation
from corpus.sonic_pi.sandbox import ResourceLimits, Sandbox

__all__ = ["SAMPLE_RATE", "SynthesisError", "SynthesisLimits", "Synthesizer"]

SAMPLE_RATE = 44_100
_FROZEN_CLOCK = "2020-01-01 00:00:00"
_BYTES_PER_FRAME = 2 * 4
_LEAST_WALL_SECONDS = 1.0
_HEADER_BYTES = 1 << 16


class SynthesisLimits(BaseModel, frozen=True, extra="forbid"):
    """What the synthesis of one program may use."""

    cpu_seconds: int = Field(5, ge=1, description="processor time, s, for sounds of up to 30 s")
    wall_seconds: float = Field(
        9.0, gt=0, description="real time of program and sound together, s, for up to 30 s of sound"
    )
    memory_bytes: int = Field(2 << 30, ge=1 << 28, description="address space, bytes")


class SynthesisError(RuntimeError):
    """scsynth could not render a score within its limits."""


class Synthesizer:
    """Renders scores, one at a time.

    Args:
        installation: where scsynth and the sounds are.
        sandbox: how to shut scsynth off.
        limits: what one rendering may use.
    """

    def __init__(
        self, installation: Installation, sandbox: Sandbox, limits: SynthesisLimits | None = None
    ) -> None:
        self._installation = installation
        self._sandbox = sandbox
        self._limits = limits or SynthesisLimits()

    def render(
        self, score: bytes, seconds: float, lead_seconds: float, spent_seconds: float = 0.0
    ) -> NDArray[np.float32]:
        """The sound of a score, shape (frames, 2), exactly `seconds` long after `lead_seconds`.

        Args:
            score: as `scsynth -N` reads it.
            seconds: length of the sound, > 0.
            lead_seconds: what of the score to leave out before it, ≥ 0.
            spent_seconds: real time that the program has used up already, ≥ 0.

        Raises:
            SynthesisError: if scsynth fails or uses up its limits.
        """
        with tempfile.TemporaryDirectory(prefix="antiphon-") as name:
            scratch = Path(name)
            (scratch / "score.osc").write_bytes(score)
            self._run(scratch, seconds, spent_seconds)
            return _read(scratch / "sound.wav", seconds, lead_seconds)

    def _run(self, scratch: Path, seconds: float, spent_seconds: float) -> None:
        stretch = max(1.0, seconds / 30.0)
        wall_seconds = max(self._limits.wall_seconds * stretch - spent_seconds, _LEAST_WALL_SECONDS)
        limits = ResourceLimits(
            cpu_seconds=round(self._limits.cpu_seconds * stretch),
            memory_bytes=self._limits.memory_bytes,
            file_bytes=round((seconds + 2) * SAMPLE_RATE) * _BYTES_PER_FRAME + _HEADER_BYTES,
        )
        environment = {
            "HOME": "/dev/null",
            "LD_PRELOAD": str(self._installation.faketime_library),
            "FAKETIME": _FROZEN_CLOCK,
            "FAKETIME_DISABLE_SHM": "1",
        }
        command = limits.apply(_command(self._installation.scsynth, scratch))
        try:
            done = subprocess.run(
                self._sandbox.wrap(command, environment, scratch),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=wall_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise SynthesisError(
                f"the sound was not made within {wall_seconds:.1f} s {REAL_TIME}"
            ) from late
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").strip()[-300:]
            raise SynthesisError(
                f"scsynth ended with code {done.returncode} (allowed: {limits.cpu_seconds} s of "
                f"processor time): {said or 'it said nothing'}"
            )


def _command(scsynth: Path, scratch: Path) -> list[str]:
    files = ["-N", str(scratch / "score.osc"), "_", str(scratch / "sound.wav")]
    form = [str(SAMPLE_RATE), "WAV", "float"]
    sizes = ["-i", "16", "-o", "2", "-m", "131072", "-a", "1024", "-b", "4096"]
    return [str(scsynth), *files, *form, *sizes, "-D", "0", "-R", "0", "-V", "-1"]


def _read(path: Path, seconds: float, lead_seconds: float) -> NDArray[np.float32]:
    try:
        sound, _ = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise SynthesisError(f"scsynth left no readable sound: {error}") from error
    lead, n_frames = round(lead_seconds * SAMPLE_RATE), round(seconds * SAMPLE_RATE)
    audio = np.zeros((n_frames, 2), dtype=np.float32)
    body = sound[lead : lead + n_frames, :2]
    audio[: len(body)] = body
    return audio
