"""Makes the atlas of synths and samples anew from an installed Sonic Pi; about two minutes.

python launch/atlas.py [--out FOLDER]

The repository holds one of Sonic Pi 3.2.2; another is needed for other synths or samples only.
Writes `atlas.npz` and `instruments.json`. Exit codes: 0 made; 2 not made.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from corpus.sonic_pi import atlas as atlas_file
from corpus.sonic_pi import instruments as instruments_file
from corpus.sonic_pi.fork_server import ForkServer
from corpus.sonic_pi.install import find_installation
from corpus.sonic_pi.renderer import Renderer
from corpus.sonic_pi.sandbox import Sandbox
from launch.command import command

__all__ = ["main"]


@command(OSError, RuntimeError, stopped="stopped; nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Makes and stores both files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="atlas", description="Profiles of synths and samples.")
    stored = atlas_file.STORED.parent
    parser.add_argument("--out", type=Path, default=stored, help=f"folder (default: {stored})")
    folder: Path = parser.parse_args(argv).out
    folder.mkdir(parents=True, exist_ok=True)
    installation = find_installation()
    with ForkServer(installation, Sandbox(installation.bubblewrap, installation.folders)) as s:
        facts = instruments_file.read_instruments(s.synthdefs, installation.sample_folder)
    with Renderer() as renderer:
        made = atlas_file.build_atlas(facts, lambda c, t: renderer.render(c, t).audio)
    instruments_file.write_instruments(facts, folder / instruments_file.STORED.name)
    made.save(folder / atlas_file.STORED.name)
    print(f"{len(made.synths)} synths and {len(made.samples)} samples in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
