"""Which device a configuration means: a sound card, a replay through one, or a replay alone."""

from actors.devices.audio import AudioDevice, AudioDeviceConfig, Pace, PacingClock
from actors.devices.replay import ReplayDevice
from actors.devices.sound_card import SoundCard
from agents.messages import Audio


def open_device(
    config: AudioDeviceConfig,
    clock: PacingClock,
    *,
    guide: Audio | None = None,
    pace: Pace = "real",
    seconds: float | None = None,
    keep_heard: bool = False,
) -> AudioDevice:
    """The device that the configuration asks for, not started yet.

    Args:
        config: the device.
        clock: waits at real pace.
        guide: sound to listen to instead of an input, (frames, channels or 1).
        pace: "fast" replays without waiting; only with a guide, and not on a loudspeaker.
        seconds: length of the replay; None is the guide's own; a longer one loops it.
        keep_heard: a replay without a loudspeaker keeps what a listener would have heard.

    Raises:
        DeviceError: the device does not exist, cannot run so, or PortAudio is missing.
        ValueError: fast pace without a guide, or an unusable guide.
    """
    if guide is None:
        if pace == "fast":
            raise ValueError("fast pace needs a guide to replay; give one, or play at real pace")
        return SoundCard(config, clock)
    if pace == "real" and config.output is not None:
        return SoundCard(config, clock, guide=guide, seconds=seconds)
    return ReplayDevice(guide, config, clock, pace=pace, seconds=seconds, keep_heard=keep_heard)
