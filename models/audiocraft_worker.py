"""MusicGen through audiocraft, run by an interpreter that has it: `python audiocraft_worker.py`.

Reads msgpack requests from standard input and writes answers to standard output, each after its
length in four bytes. It imports nothing of ours, and stands in for what audiocraft 1.3 imports and
does not need here: xformers' attention (torch's own is used), spaCy's tokenizer, and the compiled
part of torchaudio, which on a machine without CUDA fails to load.
"""

import importlib.machinery
import importlib.util
import os
import struct
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgpack


def serve(model_name: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Load a model, say so, and answer requests until the input ends."""
    try:
        model = _load(model_name)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is told to the other side
        _write(sink, {"error": f"{type(error).__name__}: {error}"})
        return
    _write(sink, {"sample_rate": int(model.sample_rate)})
    while (request := _read(source)) is not None:
        try:
            _write(sink, {"clips": list(_clips(model, request))})
        except Exception as error:  # noqa: BLE001 - one bad request must not end the worker
            _write(sink, {"error": f"{type(error).__name__}: {error}"})


def _clips(model: Any, request: dict[str, Any]) -> Iterator[bytes]:  # noqa: ANN401 - theirs
    import torch

    seconds = float(request["seconds"])
    spare = 0.1  # whole codec frames: what is asked for exactly may come out shorter
    model.set_generation_params(duration=seconds + spare, use_sampling=True, top_k=250)
    for prompt, seed in zip(request["prompts"], request["seeds"], strict=True):
        torch.manual_seed(int(seed))
        audio = model.generate([prompt], progress=False)[0].float().mean(dim=0)
        yield audio[: round(seconds * model.sample_rate)].cpu().numpy().astype("<f4").tobytes()


def _load(name: str) -> Any:  # noqa: ANN401 - audiocraft's own class
    if importlib.util.find_spec("audiocraft") is None:  # said before torch takes its time
        raise ModuleNotFoundError("this interpreter has no audiocraft")
    _stand_in_for_xformers()
    _stand_in_for_spacy()
    with _without_compiled_torchaudio():
        from audiocraft.models import MusicGen  # type: ignore[import-not-found,unused-ignore]
        from audiocraft.modules.transformer import (  # type: ignore[import-not-found,unused-ignore]
            set_efficient_attention_backend,
        )
    set_efficient_attention_backend("torch")
    return MusicGen.get_pretrained(name, device="cpu")


def _module(name: str, **values: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    for key, value in values.items():
        setattr(module, key, value)
    sys.modules[name] = module
    return module


def _stand_in_for_xformers() -> None:
    import torch

    def attention(
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        attn_bias: Any = None,  # noqa: ANN401 - theirs: a mask, a tensor or nothing
        p: float = 0.0,
    ) -> torch.Tensor:
        causal = isinstance(attn_bias, LowerTriangularMask)
        made = torch.nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2),
            k.transpose(1, 2),
            v.transpose(1, 2),
            attn_mask=None if causal else attn_bias,
            dropout_p=p,
            is_causal=causal,
        )
        return made.transpose(1, 2)

    class LowerTriangularMask:
        """Stands for a causal mask."""

    ops = _module(
        "xformers.ops",
        unbind=torch.unbind,
        memory_efficient_attention=attention,
        LowerTriangularMask=LowerTriangularMask,
    )
    _module("xformers", ops=ops)


def _stand_in_for_spacy() -> None:
    def load(*_: object, **__: object) -> object:
        def words(text: str) -> list[types.SimpleNamespace]:
            return [
                types.SimpleNamespace(
                    text=word, lemma_=word.lower(), is_stop=False, is_punct=not word.isalnum()
                )
                for word in text.split()
            ]

        return words

    _module("spacy", load=load)


@contextmanager
def _without_compiled_torchaudio() -> Iterator[None]:
    """Let torchaudio see no compiled extension while it is imported; it then goes without."""
    real = Path.glob

    def glob(path: Path, pattern: str) -> Iterator[Path]:
        return iter(()) if path.parts[-2:] == ("torchaudio", "lib") else iter(real(path, pattern))

    Path.glob = glob  # type: ignore[method-assign,assignment,unused-ignore]
    try:
        yield
    finally:
        Path.glob = real  # type: ignore[method-assign]


def _read(source: BinaryIO) -> dict[str, Any] | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    request: dict[str, Any] = msgpack.unpackb(source.read(struct.unpack(">I", head)[0]))
    return request


def _write(sink: BinaryIO, answer: dict[str, Any]) -> None:
    data = msgpack.packb(answer)
    sink.write(struct.pack(">I", len(data)) + data)
    sink.flush()


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "wb")  # what libraries print must not get between the answers
    os.dup2(2, 1)
    serve(sys.argv[1], sys.stdin.buffer, out)
