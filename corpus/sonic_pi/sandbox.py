"""Command lines that shut a process off: no network, no files but those shown, dies with us.

Made with bubblewrap (user, process, network and mount namespaces of its own). The tree is
read-only but for one scratch folder, if given; environment and capabilities are dropped. Limits on
CPU time, memory and file size come from `prlimit`; a program's own process is confined further
(confinement.rb).
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ResourceLimits", "Sandbox", "SandboxMissingError"]

_SYSTEM_FOLDERS = ("/bin", "/lib", "/lib32", "/lib64", "/sbin")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/var/lib/gems")
_DEVICES = ("/dev/null", "/dev/urandom")
_SHOWN = Path("/shown")
_TRIAL_SECONDS = 10.0


class SandboxMissingError(OSError):
    """No sandbox can be had here; the message says why and what to do."""


@dataclass(frozen=True)
class ResourceLimits:
    """Hard limits of one process.

    Args:
        cpu_seconds: processor time, ≥ 1.
        memory_bytes: address space.
        file_bytes: largest file it may write.
    """

    cpu_seconds: int
    memory_bytes: int
    file_bytes: int

    def apply(self, command: Sequence[str]) -> list[str]:
        """`command` run under these limits."""
        return [
            "prlimit",
            f"--cpu={self.cpu_seconds}",
            f"--as={self.memory_bytes}",
            f"--fsize={self.file_bytes}",
            "--core=0",
            "--",
            *command,
        ]


@dataclass(frozen=True)
class Sandbox:
    """How to shut commands off.

    Args:
        bubblewrap: the launcher; None runs commands without a sandbox.
        readable: files and folders shown besides the system's own, at their own places.
        disguised: one folder shown at `/shown`, so that its path tells nothing about us.
    """

    bubblewrap: Path | None
    readable: tuple[Path, ...] = ()
    disguised: Path | None = None

    def shown(self, name: str) -> str:
        """Where a file of the disguised folder is for those inside.

        Raises:
            ValueError: if there is no disguised folder.
        """
        if self.disguised is None:
            raise ValueError(f"{name} is in no folder: give the sandbox a disguised folder first")
        return str((self.disguised if self.bubblewrap is None else _SHOWN) / name)

    def wrap(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        scratch: Path | None = None,
    ) -> list[str]:
        """The command line that runs `command` with only `environment`, writing only `scratch`."""
        variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **environment}
        if self.bubblewrap is None:
            pairs = [f"{name}={value}" for name, value in variables.items()]
            return ["env", "-i", *pairs, *command]
        options = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
        options += ["--cap-drop", "ALL", "--ro-bind", "/usr", "/usr"]
        for folder in map(Path, _SYSTEM_FOLDERS):
            if folder.is_symlink():
                options += ["--symlink", str(folder.readlink()), str(folder)]
            elif folder.exists():
                options += ["--ro-bind", str(folder), str(folder)]
        for path in (*_SYSTEM_FILES, *map(str, self.readable)):
            options += ["--ro-bind-try", path, path]
        if self.disguised is not None:
            options += ["--ro-bind", str(self.disguised), str(_SHOWN)]
        for device in _DEVICES:
            options += ["--dev-bind", device, device]
        if scratch is not None:
            options += ["--bind", str(scratch), str(scratch)]
        for name, value in variables.items():
            options += ["--setenv", name, value]
        return [str(self.bubblewrap), *options, "--remount-ro", "/", "--chdir", "/", *command]

    def check(self) -> None:
        """Tries the sandbox once.

        Raises:
            SandboxMissingError: if there is none, or the system does not let it work.
        """
        if self.bubblewrap is None:
            raise SandboxMissingError(
                "programs are arbitrary Ruby and run only in a sandbox, but bubblewrap is missing; "
                "install it with: apt-get install bubblewrap, or pass allow_unsandboxed=True"
            )
        trial = subprocess.run(
            self.wrap(["/usr/bin/env", "true"], {}),
            capture_output=True,
            text=True,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
        if trial.returncode != 0:
            raise SandboxMissingError(
                "programs are arbitrary Ruby and run only in a sandbox, but bubblewrap fails here "
                f"({trial.stderr.strip()[-200:]}); allow unprivileged user namespaces, or pass "
                "allow_unsandboxed=True"
            )
