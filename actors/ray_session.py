"""A Ray of this machine: loopback only unless told otherwise, with the token that Ray demands."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.ending_signals import ENDING_SIGNALS

LOOPBACK: Final = "127.0.0.1:0"
"""Where Ray is found by this machine alone, at any free port."""
_PATIENCE_SECONDS: Final = 5.0
"""For a cluster to answer; Ray itself would ask for many minutes."""


class StartError(RuntimeError):
    """The band cannot start; the message is one sentence for the user."""


def start_ray(n_cpus: int | None = None, *, address: str | None = None, niceness: int = 15) -> None:
    """Start Ray on this machine, quietly, and let its workers find this project.

    Args:
        n_cpus: what Ray may share out; None: all cores, two at least.
        address: HOST:PORT of this machine where others may join with `ray start --address` and
            the same token; None: it is for this machine alone.
        niceness: of this machine's workers; Ray's own 15 is for work in the background.

    Raises:
        StartError: Ray cannot start; nothing is left running.
    """
    root = str(Path(__file__).resolve().parent.parent)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    paths = os.environ.get("PYTHONPATH", "")
    if root not in paths.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(p for p in (root, paths) if p)
    host, _, port = (address or LOOPBACK).rpartition(":")
    os.environ["RAY_GCS_SERVER_PORT"] = port
    import ray

    try:
        with signals_wait():
            ray.init(
                address="local",  # whatever cluster the environment names
                num_cpus=n_cpus or max(2, os.cpu_count() or 2),
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                object_store_memory=100 * 2**20,
                _node_ip_address=host,
                _system_config={"worker_niceness": niceness},
            )
    except Exception as error:  # noqa: BLE001 Ray raises whatever its parts raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise StartError(
            f"Ray must start on this machine, but it said: {first}; see that memory, the temporary "
            f"folder and ports are free, or play with --pace fast ({sys.executable})"
        ) from None


@contextlib.contextmanager
def ray_session(n_workers: int, *, niceness: int = 15) -> Iterator[None]:
    """Ray for the time of a `with` block: the cluster named in RAY_ADDRESS, else this machine.

    Args:
        n_workers: cores of this machine that Ray may share out.
        niceness: of this machine's workers.

    Raises:
        StartError: Ray cannot start on this machine, or the cluster named does not answer.
    """
    import ray

    if "RAY_ADDRESS" in os.environ:
        _join(os.environ["RAY_ADDRESS"])
    else:
        start_ray(n_workers, niceness=niceness)
    try:
        yield
    finally:
        ray.shutdown()


def _join(address: str) -> None:
    """Take part in the cluster at `address`: HOST:PORT, or what else Ray knows ("auto")."""
    import ray

    host, _, port = address.rpartition(":")
    try:
        if host and port.isdecimal() and "://" not in host:
            socket.create_connection((host, int(port)), _PATIENCE_SECONDS).close()
        ray.init(log_to_driver=False, configure_logging=False)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        raise StartError(
            f"RAY_ADDRESS must name a Ray cluster that answers, got {address!r} ({error}); start "
            "one by `ray start --head`, or unset RAY_ADDRESS to compute on this machine"
        ) from None


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """The signals that end a show come after the block; in the main thread.

    An interrupted start of Ray hangs or crashes at exit. SIGTERM it takes for itself, to exit at
    once: that ends the block, and then goes where it was meant to, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in ENDING_SIGNALS
    }
    try:
        yield
    except SystemExit:
        came.append(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])
