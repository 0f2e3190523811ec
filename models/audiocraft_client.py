"""MusicGen through audiocraft, in an interpreter of its own that is talked to over pipes.

audiocraft pins an old torch, so it cannot live beside ours. `models/audiocraft_worker.py` runs in
the interpreter that has it; here is the other end. If the worker dies, it is started again.
"""

import struct
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from models.musicgen import MUSICGEN_LICENCE

__all__ = ["AudiocraftError", "AudiocraftGenerator"]

FloatArray = NDArray[np.float32]
_WORKER: Final = Path(__file__).with_name("audiocraft_worker.py")
_LONGEST_ANSWER: Final = 2**31


class AudiocraftError(RuntimeError):
    """The worker could not be started, died, or refused; the message is one sentence."""


class AudiocraftGenerator:
    """Clips from text prompts; keeps the interface of `generators.generator.Generator`.

    Args:
        python: the interpreter that has audiocraft.
        model: a folder of weights, a hub id, or "debug": audiocraft's own tiny random model.

    Raises:
        ValueError: no interpreter is named.
        AudiocraftError: it does not start, or has no audiocraft.
    """

    licence = MUSICGEN_LICENCE
    allows_paid_shows = False

    def __init__(self, python: Path | None, model: str = "debug") -> None:
        if python is None or not python.exists():
            raise ValueError(
                f"generator.python must be an interpreter that has audiocraft, got {python}; the "
                "README says how to make one"
            )
        self._command = [str(python), "-I", str(_WORKER), model]
        self.name = f"audiocraft-{model}"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        with self._lock:
            self.sample_rate = self._started()

    def generate(
        self, conditions: Sequence[str | FloatArray], seconds: float, seeds: Sequence[int]
    ) -> list[FloatArray]:
        """One clip per prompt, each by its own seed.

        Raises:
            ValueError: conditions that are no text, or not as many seeds as conditions.
            AudiocraftError: the worker refused or died; the next call starts another.
        """
        prompts = [one for one in conditions if isinstance(one, str)]
        if len(prompts) != len(conditions) or len(seeds) != len(conditions):
            raise ValueError(
                f"audiocraft needs text prompts and as many seeds, got {len(prompts)} texts of "
                f"{len(conditions)} and {len(seeds)} seeds"
            )
        request = {"prompts": prompts, "seconds": seconds, "seeds": [int(s) for s in seeds]}
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._started()
            answer = self._exchanged(request)
        return [np.frombuffer(clip, "<f4").astype(np.float32) for clip in answer["clips"]]

    def _started(self) -> int:
        self._end()
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise AudiocraftError(
                f"{self._command[0]} must be an interpreter, but it does not start "
                f"({error.strerror}); set generator.python"
            ) from error
        return int(self._answer()["sample_rate"])

    def _exchanged(self, request: dict[str, Any]) -> dict[str, Any]:
        data = msgpack.packb(request)
        pipe = self._process.stdin if self._process is not None else None
        try:
            if pipe is not None:
                pipe.write(struct.pack(">I", len(data)) + data)
                pipe.flush()
        except OSError as error:
            self._end()
            raise AudiocraftError(
                f"{self.name} must answer, but its process is gone; it is started again"
            ) from error
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        pipe = self._process.stdout if self._process is not None else None
        head = pipe.read(4) if pipe is not None else b""
        size = struct.unpack(">I", head)[0] if len(head) == 4 else _LONGEST_ANSWER
        body = pipe.read(size) if pipe is not None and size < _LONGEST_ANSWER else b""
        if len(body) < size:
            self._end()
            raise AudiocraftError(
                f"{self.name} must answer, but its process ended; see that {self._command[0]} has "
                "msgpack, torch and audiocraft"
            )
        answer: dict[str, Any] = msgpack.unpackb(body)
        if "error" in answer:
            raise AudiocraftError(f"{self.name} refused: {answer['error']}")
        return answer

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def close(self) -> None:
        """End the worker."""
        self._end()
