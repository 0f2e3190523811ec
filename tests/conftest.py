"""What several kinds of tests share.

What must be installed, the demo's stage, a world to evolve in, tiny models in the real formats.
"""

import json
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from actors.evolution_config import StageEvolutionConfig
from actors.stage_config import BandConfig, StageConfig
from corpus.song_features import SongDescriptors, encode_folder
from corpus.sonic_pi.install import Installation, SonicPiMissingError, find_installation
from corpus.sonic_pi.sandbox import Sandbox, SandboxMissingError
from corpus.sound_font import SynthesizerMissingError, render_notes
from launch.config import PROJECT_ROOT, load_config
from launch.preparation import prepare
from models.taste import AlignerV2, TasteConfig
from models.taste_checkpoint import save_aligner

RATE = 22_050

# tests behind a shell ignore Ctrl-C, behind nohup the terminal's end; so would all that they start
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Untold:
    """Is told how the preparation goes, and keeps it to itself."""

    def begin(self, step: str) -> None: ...

    def tell(self, detail: str) -> None: ...

    def note(self, sentence: str) -> None: ...


@pytest.fixture(scope="session")
def installed_sonic_pi() -> Installation:
    """The installed Sonic Pi; where there is none, the test is skipped and says what to install."""
    try:
        return find_installation()
    except SonicPiMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def needs_sonic_pi(installed_sonic_pi: Installation) -> None:
    """Skips where no program can be run: there is no Sonic Pi, or no sandbox."""
    try:
        Sandbox(installed_sonic_pi.bubblewrap).check()
    except SandboxMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def needs_synthesizer() -> None:
    """Skips where notes cannot be rendered: there is no FluidSynth, or no sound font."""
    try:
        render_notes([], "piano", 120, 1)
    except SynthesizerMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def memory_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled memories, shared by all tests of the session."""
    return tmp_path_factory.mktemp("memories")


@pytest.fixture(scope="session")
def demo_stage(memory_cache: Path) -> Callable[..., BandConfig]:
    """Prepares the rehearsal of the demo at fast pace, with any option changed."""

    def prepared(out: Path, **options: Any) -> BandConfig:
        options = {"pace": "fast", "cache": memory_cache, "out": out, **options}
        path = PROJECT_ROOT / "configs" / "rehearsal.yaml"
        config = load_config(StageConfig, path, options=options, assignments=[])
        return prepare(config, "rehearsal", Untold())

    return prepared


def tune(seed, seconds=1.0):
    """Decaying tones of a key, a speed and a brightness of their own."""
    rng = np.random.default_rng(seed)
    step = int(RATE * rng.uniform(0.12, 0.3))
    t = np.arange(step) / RATE
    root, bright, notes = int(rng.integers(48, 72)), rng.uniform(0.2, 0.8), []
    fades = np.minimum(1, np.minimum(t / 0.005, (t[-1] - t) / 0.02))
    while len(notes) * step < seconds * RATE:
        hz = 440 * 2 ** ((root + int(rng.choice([0, 2, 4, 7])) - 69) / 12)
        body = sum(bright**k * np.sin(2 * np.pi * hz * (k + 1) * t) for k in range(4))
        notes.append(0.2 * body * fades * np.exp(-rng.uniform(2, 8) * t))
    return np.concatenate(notes)[: int(seconds * RATE)].astype(np.float32)


@dataclass(frozen=True)
class World:
    """Where songs and a taste model that knows them are, and what was heard before."""

    songs: Path
    taste: Path
    heard: Path

    def config(self, folder, **options):
        population = options.pop("population", 4)
        values = {
            "enabled": True,
            "taste": self.taste,
            "songs": self.songs,
            "folder": folder,
            "seconds": 1.0,
            "accept": -20.0,
            "shape": {"population": population, "elites": 0.25},
        }
        return StageEvolutionConfig(**{**values, **options})

    def train(self, path, seed, encoder=SongDescriptors.name):
        """Writes a taste model of these songs; another seed makes another."""
        _, layers = encode_folder(self.songs, SongDescriptors(), cache=self.heard)
        shape = TasteConfig(user_dim=4, hidden_dim=16, shared_dim=8)
        aligner = AlignerV2(shape, 6, *layers.shape[1:], seed=seed)
        deviation = torch.from_numpy(layers.std(axis=0)).clamp(min=1e-3)
        aligner.set_standard(torch.from_numpy(layers.mean(axis=0)), deviation)
        save_aligner(path, aligner, {"encoder": encoder})


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    songs = folder / "songs"
    songs.mkdir()
    for seed in range(20):
        soundfile.write(songs / f"{seed:02}.wav", tune(seed), RATE)
    world = World(songs, folder / "taste.safetensors", folder / "heard")
    world.train(world.taste, seed=1)
    return world


class LanguageServer(ThreadingHTTPServer):
    """A server of the chat protocol on this machine, which speaks well or badly.

    `says(n)` answers the question number n, from 1: a text, raw bytes, or None, which is never.
    What it was asked, and with which keys, is kept.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.asked, self.keys, self.status = [], [], 200
        self.says = lambda _: ""
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    @staticmethod
    def completion(text):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        said = {"id": "1", "object": "chat.completion", "created": 1, "model": "small"}
        return json.dumps({**said, "choices": [choice]}).encode()


class _Conversation(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        server.keys.append(self.headers["Authorization"])
        said = server.says(len(server.asked))
        if said is None:
            server.released.wait(30)
            return
        body = said if isinstance(said, bytes) else server.completion(said)
        self.send_response(server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def language_server(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = LanguageServer()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def save_audio_model():
    """Writes a tiny random model for raw audio in the published format; gives its folder.

    Call it with a folder, "wav2vec2" or "hubert" (as MERT is), a rate, and what else the model's
    config shall say.
    """
    from transformers import (
        HubertConfig,
        HubertModel,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Model,
    )

    sizes = {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 24, "conv_dim": (8, 8), "conv_kernel": (20, 16),
        "conv_stride": (20, 16), "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 2,
    }  # fmt: skip
    kinds = {"wav2vec2": (Wav2Vec2Model, Wav2Vec2Config), "hubert": (HubertModel, HubertConfig)}

    def save(folder, kind="wav2vec2", rate=16_000, **changes):
        torch.manual_seed(0)
        model, config = kinds[kind]
        model(config(**(sizes | changes))).save_pretrained(folder)
        Wav2Vec2FeatureExtractor(sampling_rate=rate).save_pretrained(folder)
        return str(folder)

    return save


@pytest.fixture(scope="session")
def tiny_wav2vec2(save_audio_model, tmp_path_factory):
    """Folder of a tiny random wav2vec 2.0 of two layers, 16 wide, for 16 kHz."""
    return save_audio_model(tmp_path_factory.mktemp("wav2vec2"))


@pytest.fixture(scope="session")
def tiny_musicgen(tmp_path_factory):
    """Folder of tiny random weights in the published format, with a tokenizer of its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        EncodecConfig,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        PreTrainedTokenizerFast,
        T5Config,
    )

    torch.manual_seed(0)
    text = T5Config(vocab_size=256, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    codec = EncodecConfig(
        sampling_rate=32_000,
        audio_channels=1,
        normalize=False,
        num_filters=4,
        num_lstm_layers=1,
        upsampling_ratios=[8, 5, 4, 4],
        codebook_size=64,
        codebook_dim=16,
        hidden_size=16,
        target_bandwidths=[1.2],
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=64,
        num_hidden_layers=2,
        ffn_dim=64,
        num_attention_heads=4,
        hidden_size=32,
        num_codebooks=4,
        pad_token_id=64,
        bos_token_id=64,
    )
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder)
    ).eval()
    with torch.no_grad():
        for layer in model.audio_encoder.quantizer.layers:
            layer.codebook.embed.normal_()  # all zero otherwise: everything would sound the same
    for name in ("decoder_start_token_id", "pad_token_id", "bos_token_id"):
        setattr(model.generation_config, name, 64)
    made = tmp_path_factory.mktemp("musicgen")
    model.save_pretrained(made)
    words = ["<pad>", "</s>", "<unk>", "calm", "piano", "fast", "drums", "and"]
    core = Tokenizer(models.WordLevel({w: k for k, w in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(made)
    assert list(made.glob("*.safetensors"))
    return str(made)
