"""Programs that attack: each gets an error of its own, in time, and the server lives on."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.sonic_pi.fork_server import ProgramLimits
from corpus.sonic_pi.renderer import Renderer, RendererConfig
from corpus.sonic_pi.synthesis import SynthesisLimits

TARGET = Path(tempfile.gettempdir()) / "antiphon-hostile"
HARMLESS = "play 60"

REFUSED = {
    "backticks": f"`touch {TARGET}`",
    "system": f'raise "came back" if system("touch {TARGET}").nil?',
    "exec": f'exec "touch {TARGET}"',
    "spawn": f'spawn "touch {TARGET}"',
    "pipe": f'IO.popen("touch {TARGET}")',
    "fork bomb": "loop { fork }",
    "file written": f'File.write("{TARGET}", "x")',
    "file written beside": 'File.write("/dev/shm/x", "x")',
    "sample deleted": "File.delete(sample_paths(:bd_haus)[0])",
    "folder made": 'Dir.mkdir("/tmp/x")',
    "file of ours read": f'puts File.read("{Path(__file__).resolve()}")',
    "users read": 'puts File.read("/etc/passwd")',
    "server's memory": 'File.open("/proc/1/mem", "r+")',
    "tcp": 'require "socket"; TCPSocket.new("127.0.0.1", 22)',
    "udp": 'require "socket"; UDPSocket.new.send("x", 0, "127.0.0.1", 4557)',
    "unix socket": 'require "socket"; UNIXServer.new("/tmp/s")',
    "parent killed": "Process.kill(:KILL, Process.ppid)",
    "all killed": "Process.kill(:KILL, -1)",
    "limits raised": "Process.setrlimit(:CPU, 1000, 1000)",
    "priority raised": "Process.setpriority(Process::PRIO_PROCESS, 0, -20)",
    "huge string": "a = 'a' * 10**10",
    "huge list": "a = []; 100_000.times { a << 'x' * 10**6 }",
    "flood of lines": "loop { 1000.times { puts 'x' }; sleep 0.01 }",
    "flood of bytes": "loop { puts 'x' * 10**6; sleep 0.01 }",
    "ended": "exit",
    "no sleep": "loop { play 60 }",
    "deep recursion": "define(:f) { f }\nf",
    "forged reading": (
        "SonicPi::SCSynthExternal.recording.add(0, '/b_allocRead', [9, '/etc/passwd', 0])"
    ),
    "forged climbing": (
        "SonicPi::SCSynthExternal.recording.add(0, '/b_allocRead', "
        "[9, '/usr/share/sonic-pi/samples/../../../../etc/passwd', 0])"
    ),
    "forged argument": "SonicPi::SCSynthExternal.recording.add(0, '/n_set', [[], {}])",
}

ENDED = {
    "exit!": "exit!",
    "abort in a hook": "at_exit { loop {} }; exit!",
    "endless loop": "while true; end",
    "endless pattern": "/^(a|a?)+$/ =~ 'a' * 60 + 'b'",
    "real sleep": "IO.select(nil, nil, nil, 100)",
    "clock turned off": "Antiphon::Scheduler.instance_variable_set(:@running, false); sleep 1",
    "signals ignored": "trap('XCPU') {}; trap('TERM') {}; while true; end",
    "threads without end": "loop { Thread.new { Thread.new { loop { } } } }",
    "result forged": "class << JSON; def generate(*) = '{\"messages\": 3}'; end",
    "result nested": "class << JSON; def generate(*) = '[' * 200_000 + '}'; end",
    "result of many lines": 'class << JSON; def generate(*) = "{}\\n{}\\n{}"; end',
    "result endless": "class << JSON; def generate(*) = '{' * 70_000_000; end",
}


@pytest.fixture(scope="module")
def renderer(needs_sonic_pi) -> Iterator[Renderer]:
    config = RendererConfig(
        program=ProgramLimits(cpu_seconds=1, wall_seconds=3.0),
        synthesis=SynthesisLimits(cpu_seconds=1, wall_seconds=3.0),
    )
    renderer = Renderer(config)
    with renderer:
        yield renderer


@pytest.fixture(autouse=True)
def nothing_escapes() -> Iterator[None]:
    TARGET.unlink(missing_ok=True)
    yield
    assert not TARGET.exists()


@pytest.mark.parametrize("attack", REFUSED)
def test_what_a_program_may_not_do_comes_back_as_an_error(renderer: Renderer, attack: str):
    played = renderer.events(REFUSED[attack], 2.0)

    assert played.errors
    assert renderer.events(HARMLESS, 2.0).errors == ()


@pytest.mark.parametrize("attack", ENDED)
def test_a_program_that_spoils_its_own_run_spoils_no_other(renderer: Renderer, attack: str):
    played = renderer.events(ENDED[attack], 2.0)

    assert played.errors[0].kind in ("limit", "ended", "runtime")
    after = renderer.events(HARMLESS, 2.0)
    assert after.errors == ()
    assert [event.name for event in after.events] == ["beep"]


def test_lines_forged_into_every_open_file_reach_nobody_else(renderer: Renderer):
    forged = '{"end": "answered"}\\n{"messages": [], "log": ["forged"], "errors": []}\\n'
    attack = f"(0..64).each {{ |n| IO.for_fd(n, autoclose: false).write('{forged}') rescue 0 }}"

    renderer.events(attack + "; exit!", 2.0)

    assert renderer.events("puts 1", 2.0).log == ("1",)


def test_functions_redefined_by_one_program_are_sound_in_the_next(renderer: Renderer):
    renderer.events("class SonicPi::Server; def trigger_synth(*) = raise('spoilt'); end", 2.0)

    assert len(renderer.events(HARMLESS, 2.0).events) == 1


def test_a_program_cannot_stop_itself_and_hold_the_server(renderer: Renderer):
    renderer.events("Process.kill(:STOP, Process.pid)", 2.0)

    assert renderer.events(HARMLESS, 2.0).errors == ()


def test_foreign_functions_cannot_signal_the_server(renderer: Renderer):
    attack = """
require "fiddle"
kill = Fiddle::Function.new(Fiddle.dlopen(nil)["kill"], [Fiddle::TYPE_INT] * 2, Fiddle::TYPE_INT)
puts kill.call(1, 9), kill.call(Process.ppid, 9)
"""
    assert renderer.events(attack, 2.0).log == ("-1 -1",)
    assert renderer.events(HARMLESS, 2.0).errors == ()


def test_no_environment_and_no_files_of_ours_are_shown(renderer: Renderer):
    played = renderer.events("puts ENV.keys.join(' '); puts Dir.children('/').join(' ')", 1.0)

    names, folders = (set(line.strip('"').split()) for line in played.log)
    assert not names & (set(os.environ) - {"PATH", "HOME", "LANG", "PWD", "MALLOC_ARENA_MAX"})
    assert not folders & {"root", "home", "work", "proc", "tmp", "run", "srv", "opt", "boot"}


def test_a_sound_too_heavy_for_its_limits_is_cut_off(renderer: Renderer):
    heavy = "2000.times { synth :hoover, note: rrand(30, 90), sustain: 3000, release: 1000 }"

    rendering = renderer.render("use_timing_guarantees false\n" + heavy, 20.0)

    assert rendering.errors[-1].kind in ("sound", "limit")
    assert rendering.audio.shape == (20 * 44_100, 2)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["endless loop", "real sleep", "signals ignored"])
@pytest.mark.usefixtures("needs_sonic_pi")
def test_with_the_default_limits_every_error_comes_within_ten_seconds(attack: str):
    renderer = Renderer()
    with renderer:
        began = time.perf_counter()
        rendering = renderer.render(ENDED[attack], 18.0)

        assert time.perf_counter() - began < 10.0
        assert rendering.errors
        assert rendering.peak == 0.0
