"""``run`` on a JACK server, played by feet and hands: mock pins, JACK MIDI, keys of a terminal, scripts.

Judged by what is heard in freewheel mode, and by what the pedal says of itself.
"""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware_pedals import need
from jack_rig import JackServer, playing, wait_until
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge.link.emulated_board import build_firmware, start_emulator
from signals import plucks

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
MODELS = ("lstm-1x4-skip.w8", "lstm-2x3.float32")
BLOCK = 1024
LEAD_IN = 8 * BLOCK
"""Silence in which a change is over."""

CONTROLS = """
controls:
  - footswitch: 17
    press: bypass toggle
    hold: preset next
  - led: 27
  - encoder: [5, 6]
    turn: output_gain_db
    step: 3
  - knob: {mcp3008: 0}
    set: output_gain_db
    range: [-20, 0]
"""
MIDI = """
controls:
  - midi: {program: any}
  - midi: {cc: 7, channel: 2}
    set: output_gain_db
    range: [-40, 0]
  - midi: {cc: 64}
    press: bypass on
    release: bypass off
  - midi: {cc: 80}
    switch: mute
"""


@pytest.fixture
def jack_period() -> int:
    """Long: between riffs time runs, and on a busy machine short ones would be a storm of xruns."""
    return BLOCK


class Running:
    """A pedal in a process of its own."""

    def __init__(self, server: JackServer, folder: Path, controls: str, *, program: str = "-m neuralpedal.cli.main",
                 stdin: int = subprocess.PIPE, environment: dict[str, str] | None = None) -> None:
        self.socket, self.log, self.server = folder / "ctl.sock", folder / "log.jsonl", server
        config = folder / "pedal.yaml"
        presets = "".join(f"  - {{name: {name}, model: {GOLDEN / model}.tflite}}\n"
                          for name, model in zip(("first", "second"), MODELS, strict=True))
        config.write_text(f"audio: {{block: {BLOCK}}}\nengine: litert\nlate_blocks: 0\npresets:\n{presets}{controls}")
        command = [sys.executable, *program.split(), "run", "--config", config, "--socket", self.socket, "--log",
                   self.log]
        if stdin == subprocess.PIPE:
            command.append("--headless")
        self.process = subprocess.Popen(command, env={**server.environment, **(environment or {})}, text=True,
                                        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, *words: str) -> dict:
        """As ``neuralpedal ctl`` does; the status in the answer."""
        wait_until(self.socket.exists, "the socket")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30.0)
            connection.connect(str(self.socket))
            connection.sendall(" ".join(words).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        assert answer["ok"], answer
        return answer["status"]

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "neuralpedal.cli.main", "ctl", "--socket", self.socket, *words],
                              capture_output=True, text=True, timeout=60)

    def wait(self, what: str, true: Callable[[dict], bool]) -> dict:
        """Until the pedal says so; what it says then."""
        found: dict = {}

        def is_so() -> bool:
            nonlocal found
            found = self.ask("status")
            return true(found)

        wait_until(is_so, f"{what}: {found}")
        return found

    def pin(self, words: str) -> str:
        """Do something to a mock pin, or ask for its state; see ``mock_board``."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0 and "Traceback" not in err, err
        assert not self.socket.exists()
        return err


@contextlib.contextmanager
def running(*arguments, **more) -> Iterator[Running]:
    pedal = Running(*arguments, **more)
    try:
        yield pedal
    finally:
        if pedal.process.poll() is None:
            pedal.process.kill()
            pedal.process.communicate()


def in_a_window(folder: Path, does: str = "from neuralpedal.cli.main import main\nmain()\n") -> str:
    """A program that runs ``neuralpedal`` in a session of its own, whose terminal is its stdin."""
    script = folder / "leader.py"
    script.write_text("import fcntl, os, sys, termios\nos.setsid()\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
                      + does)
    return str(script)


def heard(guitarist) -> np.ndarray:
    """What a riff sounds like now; it begins after a silence in which every change ends."""
    track = np.concatenate([np.zeros(LEAD_IN, np.float32), plucks(0.5)])
    return guitarist.play(track, tail=BLOCK)[BLOCK + LEAD_IN :]


def wanted(place: int, gain_db: float = 0.0) -> np.ndarray:
    """What it should sound like in a preset."""
    engine = open_tflite(GOLDEN / f"{MODELS[place]}.tflite", "litert", BLOCK)
    engine.prewarm()
    track = np.concatenate([np.zeros(LEAD_IN, np.float32), plucks(0.5)])
    return stream(engine, track)[LEAD_IN:] * np.float32(10 ** (gain_db / 20))


def assert_heard(guitarist, signal_: np.ndarray) -> None:
    np.testing.assert_allclose(heard(guitarist), signal_, atol=1e-4)


def test_the_presets_of_these_tests_sound_different_from_each_other_and_from_the_guitar():
    first, second, dry = wanted(0), wanted(1), plucks(0.5)
    assert min(np.max(np.abs(a - b)) for a, b in ((first, second), (first, dry), (second, dry))) > 0.01


def test_an_emulated_board_drives_presets_and_mute_and_its_light_answers(jack_server: JackServer, tmp_path):
    need("arm-none-eabi-gcc", "qemu-system-arm")
    (tmp_path / "board").mkdir()
    port = f"unix:{tmp_path}/board.sock"
    emulator = start_emulator(build_firmware(tmp_path / "board", int16_audio=True), f"{port},server=on,wait=on")
    # Its light 7 is wired to its switch 7: what the pedal shows there, the board's foot does.
    rows = (f"controls:\n  - board: {{port: '{port}', light: 7}}\n  - board: {{port: '{port}', text: 0}}\n"
            f"  - board: {{port: '{port}', switch: 7}}\n    press: preset next\n    release: mute on\n")
    try:
        assert emulator.stdout and b"waiting for connection" in emulator.stdout.readline()
        with running(jack_server, tmp_path, rows) as pedal, playing(jack_server) as guitarist:
            status = pedal.wait("the lit light", lambda status: status["preset"] == "second")
            assert status["last_action"] == f"board {port} switch 7: preset next"
            assert_heard(guitarist, wanted(1))
            pedal.ask("bypass", "on")
            pedal.wait("the dark light", lambda status: status["muted"])
            emulator.kill()
            assert pedal.ask("mute", "off") and pedal.ask("bypass", "off")
            assert_heard(guitarist, wanted(1))
            assert "the music goes on, and the board is looked for" in pedal.end()
    finally:
        emulator.kill()
        emulator.communicate()


def test_pins_drive_bypass_presets_and_a_knob_to_the_sound(jack_server: JackServer, tmp_path):
    with running(jack_server, tmp_path, CONTROLS, program=str(ROOT / "tests" / "mock_board.py")) as pedal:
        with playing(jack_server) as guitarist:
            assert_heard(guitarist, wanted(0))
            wait_until(lambda: pedal.pin("state 27") == "1", "the LED to be lit")
            for _ in range(5):
                pedal.pin("low 17")
                pedal.pin("high 17")
            pedal.pin("low 17")
            pedal.wait("the next preset", lambda status: status["preset"] == "second")
            pedal.pin("high 17")
            assert_heard(guitarist, wanted(1))
            pedal.pin("adc 0 512")
            status = pedal.wait("the knob", lambda status: status["parameters"]["output_gain_db"]["value"] != 0.0)
            gain_db = status["parameters"]["output_gain_db"]["value"]
            assert gain_db == pytest.approx(-20 + 20 * 512 / 1023, abs=1e-3)
            assert status["last_action"].startswith("knob 0: set output_gain_db -9.99")
            assert_heard(guitarist, wanted(1, gain_db))
            for words in ("low 5", "low 6", "high 5", "high 6"):
                pedal.pin(words)
            status = pedal.wait("the encoder", lambda status: "encoder" in status["last_action"])
            turned_db = status["parameters"]["output_gain_db"]["value"]
            assert abs(turned_db - gain_db) == pytest.approx(3.0, abs=1e-3)
            assert_heard(guitarist, wanted(1, turned_db))
        wait_until(lambda: pedal.log.exists() and json.loads(pedal.log.read_text().splitlines()[-1])["actions"] == 3,
                   "the log to count three actions")
        assert json.loads(pedal.log.read_text().splitlines()[-1])["last_action"].startswith("encoder 5 6: turn")
        pedal.end()


def test_a_footswitch_bypasses_and_the_light_goes_out(jack_server: JackServer, tmp_path):
    controls = CONTROLS.replace("    hold: preset next\n", "")
    with running(jack_server, tmp_path, controls, program=str(ROOT / "tests" / "mock_board.py")) as pedal:
        with playing(jack_server) as guitarist:
            for _ in range(5):
                pedal.pin("low 17")
                pedal.pin("high 17")
            pedal.pin("low 17")
            status = pedal.wait("the bypass", lambda status: status["bypassed"])
            assert status["last_action"] == "footswitch 17: bypass toggle" and status["actions"] == 1
            np.testing.assert_array_equal(heard(guitarist), plucks(0.5))
            wait_until(lambda: pedal.pin("state 27") == "0", "the LED to be dark")
            pedal.pin("high 17")
        pedal.end()


def test_jack_midi_drives_presets_a_parameter_and_switches_to_the_sound(jack_server: JackServer, tmp_path, monkeypatch):
    rtmidi = pytest.importorskip("rtmidi")
    with running(jack_server, tmp_path, MIDI, environment={"RTMIDI_API": "UNIX_JACK"}) as pedal:
        controller = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="controller")
        controller.open_virtual_port("out")
        try:
            with playing(jack_server) as guitarist:
                assert_heard(guitarist, wanted(0))

                def send(data: list[int], what: str, true: Callable[[dict], bool]) -> dict:
                    """Again and again: on a machine that is busy JACK loses what a late client has not read."""

                    def is_so(status: dict) -> bool:
                        done = true(status)
                        if not done:
                            controller.send_message(data)
                        return done

                    return pedal.wait(what, is_so)

                send([0xC0, 1], "the port and the program change", lambda status: status["preset"] == "second")
                assert_heard(guitarist, wanted(1))
                controller.send_message([0xB0, 7, 0])
                status = send([0xB1, 7, 64], "the pedal on channel 2",
                              lambda status: status["parameters"]["output_gain_db"]["value"] != 0.0)
                gain_db = status["parameters"]["output_gain_db"]["value"]
                assert gain_db == pytest.approx(-40 + 40 * 64 / 127, abs=1e-3), "channel 1 was heard"
                assert_heard(guitarist, wanted(1, gain_db))
                send([0xB0, 64, 127], "the press", lambda status: status["bypassed"])
                np.testing.assert_array_equal(heard(guitarist), plucks(0.5))
                send([0xB0, 64, 0], "letting go", lambda status: not status["bypassed"])
                send([0xB0, 80, 100], "mute", lambda status: status["muted"])
                assert not np.any(heard(guitarist))
                status = send([0xB0, 80, 0], "no mute", lambda status: not status["muted"])
                assert status["actions_refused"] == 0
        finally:
            controller.delete()
        assert "controller" in pedal.end()


def test_keys_of_the_terminal_work_and_the_terminal_is_given_back(jack_server: JackServer, tmp_path):
    ours, its = pty.openpty()
    before = termios.tcgetattr(its)
    try:
        with (running(jack_server, tmp_path, "", program=in_a_window(tmp_path), stdin=its) as pedal,
              playing(jack_server) as guitarist):
            wait_until(lambda: not termios.tcgetattr(its)[3] & termios.ICANON, "the terminal to give keys")
            os.write(ours, b"\x1b[3~\x1bOm2")  # two keys with names, of which nothing is a key of ours, and one of ours
            pedal.wait("preset 2", lambda status: status["preset"] == "second")
            assert_heard(guitarist, wanted(1))
            os.write(ours, b"---")
            status = pedal.wait("three turns",
                                lambda status: status["parameters"]["output_gain_db"]["value"] == -3.0)
            assert status["last_action"].startswith("key -: turn output_gain_db")
            assert_heard(guitarist, wanted(1, -3.0))
            os.write(ours, b" ")
            pedal.wait("the bypass", lambda status: status["bypassed"])
            np.testing.assert_array_equal(heard(guitarist), plucks(0.5))
        assert termios.tcgetattr(its) != before, "killed, it cannot give the terminal back: so this can fail"
    finally:
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize("ending", ["q", "SIGTERM", "SIGINT", "the card is gone"])
def test_the_terminal_is_as_it_was_however_run_ends(jack_server: JackServer, tmp_path, ending):
    ours, its = pty.openpty()
    before = termios.tcgetattr(its)
    try:
        with running(jack_server, tmp_path, "", program=in_a_window(tmp_path), stdin=its) as pedal:
            wait_until(lambda: not termios.tcgetattr(its)[3] & termios.ICANON, "the terminal to give keys")
            if ending == "q":
                os.write(ours, b"q")
            elif ending == "the card is gone":
                jack_server.stop()
                wait_until(lambda: termios.tcgetattr(its) == before, "the terminal to be as it was without a card")
                pedal.process.send_signal(signal.SIGTERM)
            else:
                pedal.process.send_signal(signal.Signals[ending])
            _, err = pedal.process.communicate(timeout=60)
            assert pedal.process.returncode == 0, err
            assert termios.tcgetattr(its) == before
    finally:
        os.close(ours)
        os.close(its)


def test_the_terminal_is_given_back_when_what_plays_is_killed(tmp_path):
    ours, its = pty.openpty()
    before = termios.tcgetattr(its)
    does = ("import signal, tty\nfrom neuralpedal.device.controls.keyboard import given_back\nwith given_back(0):\n"
            "    if os.fork() == 0:\n        tty.setcbreak(0)\n        os.kill(os.getpid(), signal.SIGKILL)\n"
            "    os.wait()\n    assert not termios.tcgetattr(0)[3] & termios.ICANON\n")
    try:
        subprocess.run([sys.executable, in_a_window(tmp_path, does)], stdin=its, check=True, timeout=60)
        assert termios.tcgetattr(its) == before
    finally:
        os.close(ours)
        os.close(its)


def test_scripts_drive_it_by_ctl_and_learn_what_is_wrong(jack_server: JackServer, tmp_path):
    with running(jack_server, tmp_path, "") as pedal:
        with playing(jack_server) as guitarist:
            assert pedal.ask("preset", "next")["preset"] == "second"
            assert pedal.ask("set", "output_gain_db", "-6")["unsaved"]
            assert_heard(guitarist, wanted(1, -6.0))
            told = pedal.ctl("bypass", "on", "--json")
            assert told.returncode == 0 and json.loads(told.stdout)["bypassed"], told.stderr
            np.testing.assert_array_equal(heard(guitarist), plucks(0.5))
        for words, state in (((), "bypassed"), (("mute", "on"), "muted")):
            told = pedal.ctl(*(words or ("status",)), "--json")
            assert told.returncode == 0 and json.loads(told.stdout)["state"] == state, told.stderr
        told = pedal.ctl("status")
        assert told.returncode == 0 and told.stdout.startswith("2. second (lstm-2x3") and "), muted," in told.stdout
        for words, code, said in ((("explode",), 2, "`bypass on|off|toggle`"), (("preset", "9"), 2, "no preset '9'"),
                                  (("set", "gain", "1"), 2, "no parameter 'gain'"),
                                  (("set", "output_gain_db", "99"), 2, "wanted -60 to 60")):
            told = pedal.ctl(*words)
            assert (told.returncode, told.stdout) == (code, "") and said in told.stderr, told.stderr
        assert pedal.ask("status")["actions_refused"] == 3
        pedal.end()
        told = pedal.ctl("status")
        assert told.returncode == 1 and "no pedal listens there" in told.stderr
