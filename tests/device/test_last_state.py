"""The last state survives whatever happens to the pedal, and comes back."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.device.action import parse_action
from neuralpedal.device.last_state import LastState
from neuralpedal.device.pedal_file import PresetSettings
from neuralpedal.device.pedalboard import Pedalboard
from neuralpedal.device.voice import Voice
from toy_engines import ToyEngine

pytestmark = pytest.mark.device


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def said() -> list[str]:
    return []


def make_board() -> Pedalboard:
    return Pedalboard([Voice(ToyEngine(drive=drive), PresetSettings(name=name, model=name))
                       for name, drive in (("soft", 1.0), ("hard", 3.0))])


def test_preset_bypass_and_what_was_turned_come_back(tmp_path, said):
    board = make_board()
    board.last_state = LastState(tmp_path / "state.json", said.append)
    for line in ("set output_gain_db -6", "preset hard", "set treble 9", "set tone on", "bypass on"):
        board.apply(parse_action(line))
    board.close()
    again, state = make_board(), LastState(tmp_path / "state.json", said.append).read()
    assert state is not None
    again.restore(state)
    left, right = board.status(), again.status()
    assert left == right and right["preset"] == "hard" and right["bypassed"] and right["unsaved"]
    assert again.presets == board.presets and said == []
    wet = np.empty(64, np.float32)
    for _ in range(40):
        again.pedal.process(np.zeros(64, np.float32), wet)
    assert again.pedal.engine.settings.name == "hard"


def test_it_is_written_a_second_after_the_last_change_and_after_five_at_the_latest(tmp_path, said):
    path, clock = tmp_path / "state.json", Clock()
    last = LastState(path, said.append, clock)
    last.note({"n": 0})
    assert not path.exists()
    clock.now_s = 1.0
    last.note({"n": 0})
    assert json.loads(path.read_text())["n"] == 0
    written = []
    for tenth in range(11, 120):
        clock.now_s = tenth / 10
        last.note({"n": min(tenth, 100)})
        written.append(json.loads(path.read_text())["n"])
    assert sorted(set(written)) == [0, 61, 100] and written[-1] == 100
    stamp = path.stat().st_mtime_ns
    clock.now_s = 100.0
    last.note({"n": 100})
    assert path.stat().st_mtime_ns == stamp, "what stands is not written again"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 2}', b"\xff", b"[" * 100_000])
def test_a_file_that_cannot_be_read_is_said_and_no_state(tmp_path, said, content):
    (tmp_path / "state.json").write_bytes(content)
    assert LastState(tmp_path / "state.json", said.append).read() is None
    assert len(said) == 1 and "starting as the settings say" in said[0]
    assert LastState(tmp_path / "none.json", said.append).read() is None and len(said) == 1


@pytest.mark.parametrize("state", [
    {}, {"preset": "gone", "bypassed": "yes", "parameters": []}, {"preset": 3, "parameters": {"soft": 7}},
    {"parameters": {"soft": {"treble": 99, "volume": 1, "bass": "loud", "cabinet": 1, "mid": None},
                    "gone": {"mid": 1}}},
])
def test_what_does_not_fit_any_more_is_left_out(state):
    board = make_board()
    before = board.status()
    board.restore(state)
    assert board.status() == before


@pytest.mark.parametrize("step", ["write_bytes", "replace", "fsync"])
def test_a_step_that_fails_leaves_the_old_state_and_is_said_once(tmp_path, said, monkeypatch, step):
    path = tmp_path / "state.json"
    last = LastState(path, said.append)
    last.note({"n": 1})
    last.write()

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, step)), refuse)
    for n in (2, 3):
        last.note({"n": n})
        last.write()
    assert json.loads(path.read_text())["n"] == 1 and list(tmp_path.iterdir()) == [path]
    assert len(said) == 1 and "Read-only file system" in said[0]
    monkeypatch.undo()
    last.note({"n": 4})
    last.write()
    assert json.loads(path.read_text())["n"] == 4


def test_a_process_that_is_killed_at_any_moment_leaves_a_whole_state(tmp_path, said):
    """A power cut for the file system's view of it: what is there is one of the states that were written."""
    program = ("import sys\nfrom pathlib import Path\nfrom neuralpedal.device.last_state import LastState\n"
               "last = LastState(Path(sys.argv[1]), print)\nn = 0\n"
               "while True:\n    n += 1\n    last.note({'n': n, 'filling': [n] * 2000})\n    last.write()\n"
               "    print(n, flush=True)\n")
    path = tmp_path / "state.json"
    for blocks in (1, 3, 6, 10):
        process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        for _ in range(blocks):
            reached = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        state = LastState(path, said.append).read()
        assert state and state["filling"] == [state["n"]] * 2000 and state["n"] >= reached and said == []
