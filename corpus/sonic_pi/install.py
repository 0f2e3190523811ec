"""Finds the installed Sonic Pi and what else rendering needs, and says what to install.

Debian 12's packages (Sonic Pi 3.2.2) are found without configuration. Another install of Sonic Pi
3.2 is named by its root folder, the one that holds `app` and `etc`. Version 4 sends its sound
through another program and cannot be used.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field

__all__ = ["InstallConfig", "Installation", "SonicPiMissingError", "find_installation"]

_DEBIAN_SERVER = Path("/usr/lib/sonic-pi/app/server/ruby")
_DEBIAN_SHARED = Path("/usr/share/sonic-pi")
_FAKETIME_FOLDERS = (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))


class InstallConfig(BaseModel, frozen=True, extra="forbid"):
    """Where Sonic Pi and its helpers are."""

    root: Path | None = Field(None, description="folder holding app and etc; none: Debian's paths")
    ruby: str = Field("ruby", description="Ruby interpreter, a name on the path or a file")
    scsynth: str = Field("scsynth", description="SuperCollider's server, a name or a file")
    bubblewrap: str = Field("bwrap", description="sandbox launcher, a name or a file")


class SonicPiMissingError(OSError):
    """Something that rendering needs is not installed; the message says how to get it."""


@dataclass(frozen=True)
class Installation:
    """Files and programs that were found.

    Args:
        server_folder: holds Sonic Pi's `core.rb` and `lib/sonicpi`.
        synthdef_folder: compiled synth definitions.
        sample_folder: the samples that come with Sonic Pi.
        buffer_folder: holds the stored random stream.
        example_folder: examples (CC BY-SA: read them there, copy nothing); may be absent.
        ruby, scsynth: programs to run.
        faketime_library: preloaded to freeze the clock that seeds the noise of scsynth.
        bubblewrap: the sandbox launcher, None if there is none.
    """

    server_folder: Path
    synthdef_folder: Path
    sample_folder: Path
    buffer_folder: Path
    example_folder: Path
    ruby: Path
    scsynth: Path
    faketime_library: Path
    bubblewrap: Path | None

    @property
    def sound_folders(self) -> tuple[Path, Path]:
        """Where sound files may be read from."""
        return (self.sample_folder, self.buffer_folder)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that a sandbox must show."""
        return (self.server_folder, self.synthdef_folder, *self.sound_folders)


def find_installation(config: InstallConfig | None = None) -> Installation:
    """Looks for everything that rendering needs.

    Raises:
        SonicPiMissingError: naming all that is missing and the packages that bring it.
    """
    config = config or InstallConfig()
    server = _DEBIAN_SERVER if config.root is None else config.root / "app/server/ruby"
    shared = _DEBIAN_SHARED if config.root is None else config.root / "etc"
    ruby, scsynth = shutil.which(config.ruby), shutil.which(config.scsynth)
    bubblewrap, faketime = shutil.which(config.bubblewrap), _faketime_library()
    needed = {
        "sonic-pi-server": (server / "lib/sonicpi/scsynthexternal.rb").is_file(),
        "sonic-pi-samples": (shared / "samples/bd_haus.flac").is_file(),
        "ruby": ruby is not None,
        "supercollider-server sc3-plugins-server": scsynth is not None,
        "faketime": faketime is not None,
    }
    missing = [package for package, is_there in needed.items() if not is_there]
    if missing or ruby is None or scsynth is None or faketime is None:
        place = "" if config.root is None else f" or check the Sonic Pi 3.2 folder {config.root}"
        raise SonicPiMissingError(
            f"rendering needs {', '.join(missing)}; install with: apt-get install "
            f"--no-install-recommends {' '.join(missing)} bubblewrap{place}"
        )
    return Installation(
        server_folder=server,
        synthdef_folder=shared / "synthdefs/compiled",
        sample_folder=shared / "samples",
        buffer_folder=shared / "buffers",
        example_folder=shared / "examples",
        ruby=Path(ruby),
        scsynth=Path(scsynth),
        faketime_library=faketime,
        bubblewrap=None if bubblewrap is None else Path(bubblewrap),
    )


def _faketime_library() -> Path | None:
    for folder in _FAKETIME_FOLDERS:
        for pattern in ("faketime/libfaketime.so.1", "*/faketime/libfaketime.so.1"):
            found = sorted(folder.glob(pattern))
            if found:
                return found[0]
    return None
