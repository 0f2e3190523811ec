"""Audio files: read at the rate wanted, written whole or not at all, known by their content.

Samples are float32, shape (frames, channels), full scale ±1. What cannot be used is refused with
one sentence; nothing is patched up silently. A truncated file is refused too, as nobody can tell
what is missing; a WAV written as a stream (length unknown in its header) is not truncated.
"""

import hashlib
import math
import os
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

__all__ = ["AudioFileError", "content_hash", "is_silent", "read_audio", "write_wav"]

Samples = NDArray[np.float32]

LOWEST_RATE: Final = 8000
HIGHEST_RATE: Final = 384_000
CHUNK_FRAMES: Final = 1 << 16
PCM_BYTES: Final = 3
LARGEST_WAV_BYTES: Final = 0xFFFFFFFF - 64
LOUDEST: Final = 16.0
UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000)


class AudioFileError(ValueError):
    """An audio file that cannot be used; the message says what must hold and what to do."""


def read_audio(
    path: str | Path, sample_rate: int, channels: Literal[1, 2] | None = None
) -> Samples:
    """The whole file at `sample_rate`, shape (frames, channels), float32.

    Reads WAV, FLAC, OGG (whatever libsndfile reads) in chunks, so that an hour needs the memory
    of its result. Mono is the mean of all channels, and one channel becomes two equal ones. More
    than two channels become two in the order of WAV and FLAC: the first is left, the second
    right, every other one goes to both 3 dB down, and all is scaled so that it cannot clip.

    Args:
        path: the file; 8 to 384 kHz.
        sample_rate: samples per second wanted, 8000 to 384000.
        channels: 1 or 2, or None to keep those of the file.

    Raises:
        AudioFileError: the file is missing, unreadable, empty or truncated, its rate is out of
            range, or it holds samples that are not finite or far beyond full scale.
        ValueError: `sample_rate` or `channels` out of range.
    """
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise ValueError(
            f"sample_rate must be in {LOWEST_RATE}..{HIGHEST_RATE} Hz, got {sample_rate}"
        )
    if channels not in (None, 1, 2):
        raise ValueError(f"channels must be 1, 2 or None, got {channels}")
    path = Path(path)
    _refuse_unusable(path)
    try:
        with soundfile.SoundFile(path) as file:
            return _read_whole(file, path, sample_rate, channels)
    except soundfile.SoundFileError as error:
        raise AudioFileError(
            f"{path} must be a WAV, FLAC or OGG file that can be decoded to its end, but "
            f"decoding failed ({_reason(error)}); export it again"
        ) from error


def write_wav(path: str | Path, samples: Samples, sample_rate: int) -> None:
    """Write 24-bit PCM, atomically: the file is there whole, or what was there before stays.

    The same samples give the same bytes. What exceeds full scale is clipped.

    Args:
        path: where; its folder must exist.
        samples: shape (frames,) or (frames, channels), finite, full scale ±1.
        sample_rate: samples per second.

    Raises:
        AudioFileError: samples that are not finite or above 4 GiB, or a place that cannot be
            written.
    """
    path = Path(path)
    frames = samples[:, None] if samples.ndim == 1 else samples
    if frames.size * PCM_BYTES > LARGEST_WAV_BYTES:
        raise AudioFileError(
            f"{path} must be at most 4 GiB, as WAV can hold no more, got "
            f"{frames.size * PCM_BYTES} bytes; write shorter parts"
        )
    if not np.isfinite(frames).all():
        raise AudioFileError(
            f"samples for {path} must be finite, got NaN or infinity; nothing was written"
        )
    part = path.with_name(f".{path.name}.part")
    try:
        _write_pcm(part, frames, sample_rate)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise AudioFileError(
            f"{path} must be in a folder that can be written, with room left, but writing failed "
            f"({_reason(error)}); choose another folder or free some space"
        ) from error


def _write_pcm(path: Path, frames: Samples, sample_rate: int) -> None:
    """24-bit PCM by the standard library: unlike libsndfile's, its errors on a full disk arrive."""
    with path.open("wb") as file, wave.open(file, "wb") as wav:
        wav.setparams((frames.shape[1], PCM_BYTES, sample_rate, len(frames), "NONE", ""))
        for start in range(0, len(frames), CHUNK_FRAMES):
            block = np.clip(frames[start : start + CHUNK_FRAMES], -1.0, 1.0).astype(np.float64)
            whole = np.minimum(np.rint(block * 2**23), 2**23 - 1).astype("<i4")
            wav.writeframesraw(whole.reshape(-1, 1).view(np.uint8)[:, :PCM_BYTES].tobytes())


def is_silent(samples: Samples, floor_db: float = -60.0) -> bool:
    """Whether no sample rises above `floor_db`, dB relative to full scale (peak).

    Args:
        samples: any shape; no samples at all are silent.
        floor_db: dBFS, < 0.
    """
    if samples.size == 0:
        return True
    peak = max(float(samples.max()), -float(samples.min()))
    return peak <= math.pow(10.0, floor_db / 20.0)


def content_hash(path: str | Path) -> str:
    """32 hexadecimal digits that name the bytes of a file (BLAKE2b, 128 bits).

    Raises:
        AudioFileError: the file is missing or cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    path = Path(path)
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise _cannot_open(path, error) from error
    return digest.hexdigest()


def _read_whole(
    file: soundfile.SoundFile, path: Path, sample_rate: int, channels: int | None
) -> Samples:
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        raise AudioFileError(
            f"{path} must have a sample rate of {LOWEST_RATE}..{HIGHEST_RATE} Hz, got "
            f"{file.samplerate}; export it at 44100 Hz"
        )
    if file.frames == 0:
        raise AudioFileError(f"{path} must hold sound, got no samples at all; export it again")
    n_out = channels or file.channels
    expected = math.ceil(file.frames * sample_rate / file.samplerate)
    try:
        whole = np.empty((expected, n_out), dtype=np.float32)
    except MemoryError as error:
        raise AudioFileError(
            f"{path} must fit into memory, got {file.frames} frames of {n_out} channels; cut it"
        ) from error
    filled = 0
    for block in _resampled(_checked_blocks(file, path, n_out), file.samplerate, sample_rate):
        kept = block[: expected - filled]
        whole[filled : filled + len(kept)] = kept
        filled += len(kept)
    return whole[:filled]


def _checked_blocks(file: soundfile.SoundFile, path: Path, n_out: int) -> Iterator[Samples]:
    """Blocks with `n_out` channels; refuses bad samples and an end before the promised one."""
    n_read = 0
    while len(block := file.read(CHUNK_FRAMES, dtype="float32", always_2d=True)):
        peak = float(np.max(np.abs(block)))  # NaN if any sample is NaN
        if not peak <= LOUDEST:
            came = f"a peak of {peak:g}" if math.isfinite(peak) else "NaN or infinity"
            seconds = n_read / file.samplerate
            raise AudioFileError(
                f"{path} must hold finite samples of full scale ±1, got {came} near second "
                f"{seconds:.1f}; export it again as 16 or 24 bit"
            )
        n_read += len(block)
        yield _mix(block, n_out)
    if n_read < file.frames:
        raise _truncated(path, f"{file.frames} frames", f"{n_read}")


def _resampled(blocks: Iterator[Samples], source_rate: int, sample_rate: int) -> Iterator[Samples]:
    if source_rate == sample_rate:
        yield from blocks
        return
    stream = None
    for block in blocks:
        if stream is None:
            n_channels = block.shape[1]
            stream = soxr.ResampleStream(
                source_rate, sample_rate, n_channels, dtype="float32", quality="HQ"
            )
        yield stream.resample_chunk(block)
    if stream is not None:
        yield stream.resample_chunk(np.zeros((0, n_channels), dtype=np.float32), last=True)


def _mix(block: Samples, n_out: int) -> Samples:
    """Bring (frames, n_in) to `n_out` channels by the rule that `read_audio` states."""
    n_in = block.shape[1]
    if n_in == n_out:
        return block
    if n_out == 1:
        mono: Samples = block.mean(axis=1, keepdims=True, dtype=np.float32)
        return mono
    if n_in == 1:
        return np.repeat(block, 2, axis=1)
    shared = block[:, 2:].sum(axis=1, keepdims=True, dtype=np.float32) / math.sqrt(2.0)
    mixed: Samples = (block[:, :2] + shared) / np.float32(1.0 + (n_in - 2) / math.sqrt(2.0))
    return mixed


def _refuse_unusable(path: Path) -> None:
    """Refuse what the decoder would hide or misname: no file, no bytes, a file cut short."""
    if path.is_dir():
        raise AudioFileError(f"{path} must be an audio file, got a folder; name a file in it")
    try:
        n_bytes = path.stat().st_size
        if n_bytes == 0:
            raise AudioFileError(f"{path} must hold sound, got an empty file; export it again")
        with path.open("rb") as file:
            kind = file.read(4)
            if kind in (b"RIFF", b"RF64"):
                _refuse_cut_wav(file, path, n_bytes)
            elif kind == b"OggS":
                _refuse_cut_ogg(file, path, n_bytes)
    except OSError as error:
        raise _cannot_open(path, error) from error


def _refuse_cut_wav(file: BinaryIO, path: Path, n_bytes: int) -> None:
    """Compare the size that the data chunk promises with the bytes that are there."""
    file.seek(12)
    wide_size = None
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"ds64":
            wide_size = struct.unpack("<8xQ", file.read(16))[0]
            size -= 16
        elif name == b"data":
            promised = wide_size if wide_size is not None else size
            there = n_bytes - file.tell()
            if size in UNKNOWN_SIZES and wide_size is None:
                return
            if there < promised:
                raise _truncated(path, f"{promised} bytes of sound", str(there))
            return
        file.seek(size + size % 2, os.SEEK_CUR)


def _refuse_cut_ogg(file: BinaryIO, path: Path, n_bytes: int) -> None:
    """Walk the last page: it must end where the file ends (text after it is tolerated)."""
    start = max(0, n_bytes - (1 << 17))
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS")
    n_segments = tail[page + 26] if page >= 0 and page + 27 <= len(tail) else 0
    lengths = tail[page + 27 : page + 27 + n_segments]
    promised = 27 + n_segments + sum(lengths)
    there = len(tail) - page
    if page < 0 or len(lengths) < n_segments or there < promised or there < 27:
        raise _truncated(path, "a whole last page", "part of it")


def _truncated(path: Path, promised: str, came: str) -> AudioFileError:
    return AudioFileError(
        f"{path} must be whole, but its header promises {promised} and {came} came: it is "
        "truncated; copy or export it again"
    )


def _cannot_open(path: Path, error: OSError) -> AudioFileError:
    if isinstance(error, FileNotFoundError):
        return AudioFileError(f"{path} must exist, but there is no such file; check the path")
    return AudioFileError(
        f"{path} must be a file that can be read, but opening it failed ({_reason(error)}); "
        "check its permissions"
    )


def _reason(error: Exception) -> str:
    """What went wrong, without the path and the final stop."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = getattr(error, "error_string", str(error))
    return str(text).strip().rstrip(".").removeprefix("Error : ")
