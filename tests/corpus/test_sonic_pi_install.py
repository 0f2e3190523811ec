"""What is said when something is missing, and what a sandbox command line holds."""

from pathlib import Path

import pytest

from corpus.sonic_pi.install import InstallConfig, SonicPiMissingError, find_installation
from corpus.sonic_pi.renderer import Renderer, RendererConfig
from corpus.sonic_pi.sandbox import ResourceLimits, Sandbox, SandboxMissingError


def test_a_missing_install_says_what_to_install(tmp_path: Path):
    with pytest.raises(SonicPiMissingError, match=r"apt-get install .*sonic-pi-server"):
        find_installation(InstallConfig(root=tmp_path))


def test_a_missing_synthesis_server_is_named():
    with pytest.raises(SonicPiMissingError, match="supercollider-server"):
        find_installation(InstallConfig(scsynth="no-such-scsynth"))


@pytest.mark.usefixtures("installed_sonic_pi")
def test_without_a_sandbox_nothing_runs_unless_allowed():
    config = InstallConfig(bubblewrap="no-such-bwrap")
    with pytest.raises(SandboxMissingError, match="apt-get install bubblewrap"):
        Renderer(RendererConfig(install=config))


@pytest.mark.usefixtures("installed_sonic_pi")
def test_allowed_to_go_without_a_sandbox_programs_are_still_confined(tmp_path: Path):
    config = RendererConfig(
        install=InstallConfig(bubblewrap="no-such-bwrap"), allow_unsandboxed=True
    )
    renderer = Renderer(config)
    target = tmp_path / "written"
    with renderer:
        played = renderer.events(f"play 60\n`touch {target}`", 1.0)
        written = renderer.events(f'File.write("{target}", "x")', 1.0)

    assert len(played.events) == 1
    assert played.errors
    assert written.errors
    assert not target.exists()


def test_a_launcher_that_fails_is_no_sandbox():
    with pytest.raises(SandboxMissingError, match="user namespaces"):
        Sandbox(Path("/bin/false")).check()


def test_the_sandbox_shows_only_what_it_is_given():
    command = Sandbox(Path("/usr/bin/bwrap"), (Path("/sounds"),)).wrap(
        ["ruby", "x.rb"], {"HOME": "/nonexistent"}, Path("/scratch")
    )
    bound = [command[i + 1] for i, word in enumerate(command) if word.startswith("--bind")]

    assert bound == ["/scratch"]
    assert {"--unshare-all", "--die-with-parent", "--clearenv", "--new-session"} <= set(command)
    assert "/sounds" in command
    assert "/home" not in command
    assert command[-2:] == ["ruby", "x.rb"]


def test_limits_stand_before_the_command():
    command = ResourceLimits(cpu_seconds=4, memory_bytes=5, file_bytes=6).apply(["scsynth"])

    assert command[0] == "prlimit"
    assert {"--cpu=4", "--as=5", "--fsize=6"} <= set(command)
    assert command[-1] == "scsynth"


def test_a_file_is_in_no_folder_without_a_disguised_one():
    with pytest.raises(ValueError, match=r"runtime\.rb"):
        Sandbox(None).shown("runtime.rb")
