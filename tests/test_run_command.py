"""``neuralpedal run`` as guitarists use it: a process of its own, on a JACK server with a dummy sound card."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from jack_rig import JackServer, playing, rendered_after_silence, running_server, storm, wait_until
from neuralpedal.cli.tflite_player import open_tflite
from signals import RATE_HZ, plucks

GOLDEN = Path(__file__).parent / "golden"
MODEL = GOLDEN / "lstm-1x4-skip.w8.tflite"
LEAD_IN = RATE_HZ // 2
"""Silence, by whose answer it is known how much of it was played before; the pedal fades in during its first part."""
FADED_IN = LEAD_IN // 2


def rows_of(log: Path) -> list[dict]:
    """What ``--log`` wrote so far; a row that is half written is left out."""
    lines = log.read_text().splitlines(True) if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


@contextmanager
def running(server: JackServer, *arguments: object,
            program: Sequence[object] = ("-m", "neuralpedal.cli.main")) -> Iterator[subprocess.Popen[str]]:
    """The command, killed at the end if the test has not ended it."""
    # At real-time priority freewheel mode would take the machine from all others.
    command = [sys.executable, *map(str, program), "run", "--priority", "0", *map(str, arguments)]
    process = subprocess.Popen(command, env=server.environment, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """Send a signal; what it wrote to stderr. It must exit with 0 and have printed nothing else."""
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, ""), err
    assert "Traceback" not in err
    return err


@pytest.fixture
def pedals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled pedals of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("pedals", "c_compiler")
@pytest.mark.parametrize(("model", "engine", "block"), [
    ("lstm-1x4-skip.w8", "native", 64), ("lstm-2x3.w8a16", "native", 16), ("lstm-2x3.float32", "native", 256),
    ("lstm-1x4-skip.w8", "litert", 64), ("lstm-2x3.w8a8", "litert", 100), ("frame_lstm-1x3-of-8.w8", "litert", 64),
])
def test_run_plays_what_render_plays_to_the_last_bit_one_block_later(jack_server: JackServer, model, engine, block):
    path = GOLDEN / f"{model}.tflite"
    track = np.concatenate([np.zeros(LEAD_IN, np.float32), plucks(3.0)])
    with running(jack_server, path, "--engine", engine, "--block", block, "--headless",
                 "--late-blocks", 0) as process:
        with playing(jack_server) as guitarist:
            played = guitarist.play(track)[block:]
        said = end(process)
    assert engine in said and "late" in said
    rendered = rendered_after_silence(open_tflite(path, engine, block), track, played[: len(track)],
                                      slice(FADED_IN, LEAD_IN))
    np.testing.assert_array_equal(played[FADED_IN : len(track)], rendered)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_run_with_exit_code_0(jack_server: JackServer, number):
    with running(jack_server, MODEL, "--engine", "litert", "--headless") as process:
        with playing(jack_server):
            pass
        assert "played" in end(process, number)


def test_run_ends_by_itself_after_so_many_seconds_and_logs_a_row_for_each(jack_server: JackServer, tmp_path):
    log = tmp_path / "pedal.jsonl"
    with running(jack_server, MODEL, "--engine", "litert", "--seconds", "2.5", "--input-gain", "6", "--log", log,
                 "--device", "system") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, ""), err
    assert "system (JACK Audio Connection Kit), 48000 Hz, blocks of 64" in err
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(rows) == 2
    for row in rows:
        assert row["state"] == "playing" and row["faults"] == 0 and row["deadline_us"] == pytest.approx(1333.333)
        assert 0 < row["us_p50"] <= row["us_p99"] <= row["us_max"]
        assert row["new_blocks"] > 0 and row["time"].endswith("+00:00")
    assert rows[1]["blocks"] > rows[0]["blocks"] and rows[1]["seconds"] > rows[0]["seconds"]


def test_the_live_view_is_drawn_in_a_terminal(jack_server: JackServer):
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "neuralpedal.cli.main", "run", MODEL, "--engine", "litert", "--seconds", "1.5"]
    process = subprocess.Popen(command, env={**jack_server.environment, "TERM": "xterm", "COLUMNS": "100"}, stderr=its)
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # how a terminal ends on Linux
        pass
    finally:
        os.close(ours)
        assert process.wait(30) == 0
    for words in ("input", "output", "p50", "of 1333 µs", "at p99", "xruns", "playing, ", ", 1 s", "played 1."):
        assert words in shown.decode()


def test_several_models_are_opened_and_a_signal_changes_to_the_next(jack_server: JackServer, tmp_path):
    log, names = tmp_path / "pedal.jsonl", ("lstm-1x4-skip.w8", "lstm-2x3.float32")
    models = [tmp_path / f"{name}.tflite" for name in names]
    for name, model in zip(names, models, strict=True):
        model.write_bytes((GOLDEN / f"{name}.tflite").read_bytes())

    with running(jack_server, *models, "--engine", "litert", "--headless", "--log", log) as process:
        wait_until(lambda: len(rows_of(log)) > 0, "the first row")
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: rows_of(log)[-1]["model"] != rows_of(log)[0]["model"], "the other model")
        end(process)
    assert all(row["faults"] == 0 for row in rows_of(log))


def test_the_audio_thread_gets_priority_core_and_locked_memory_or_what_was_refused_is_said(jack_server, tmp_path):
    log = tmp_path / "pedal.jsonl"
    core = min(os.sched_getaffinity(0))
    with running(jack_server, MODEL, "--engine", "litert", "--headless", "--log", log, "--priority", 20, "--cpu",
                 core) as process:
        wait_until(lambda: len(rows_of(log)) > 0, "the first row")
        player = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        threads = [int(task.name) for task in Path(f"/proc/{player}/task").iterdir()]
        real_time = [os.sched_getparam(thread).sched_priority for thread in threads
                     if os.sched_getscheduler(thread) == os.SCHED_FIFO]
        locked = "VmLck:\t       0 kB" not in Path(f"/proc/{player}/status").read_text()
        on_core = [thread for thread in threads if os.sched_getaffinity(thread) == {core}]
        said = end(process)
    assert ("audio thread has real-time priority 20" in said) == (real_time == [20])
    assert ("no real-time priority 20 (" in said and "usermod -aG audio" in said) == (real_time == [])
    assert ("memory locked" in said) == locked and ("memory not locked (" in said) == (not locked)
    assert f"audio thread on core {core}" in said and on_core


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_jack_server_that_ends_and_comes_back_finds_the_pedal_at_the_preset_where_it_was(jack_server, tmp_path, how):
    log, names = tmp_path / "pedal.jsonl", ("lstm-1x4-skip.w8", "lstm-2x3.float32")
    models = [tmp_path / f"{name}.tflite" for name in names]
    for name, model in zip(names, models, strict=True):
        model.write_bytes((GOLDEN / f"{name}.tflite").read_bytes())
    track = np.concatenate([np.zeros(LEAD_IN, np.float32), plucks(1.0)])
    with running(jack_server, *models, "--engine", "litert", "--headless", "--log", log, "--late-blocks", 0) as process:
        wait_until(lambda: len(rows_of(log)) > 0, "the first row")
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: rows_of(log)[-1]["preset"] == names[1], "the other model")
        for model in models:
            model.unlink()  # Whoever opened them again would not find them.
        getattr(jack_server, how)()
        for line in iter(process.stderr.readline, ""):
            if "trying again" in line:
                break
        jack_server.start()
        for again in iter(process.stderr.readline, ""):
            if "opened again" in again:
                break
        with playing(jack_server) as guitarist:
            played = guitarist.play(track)[64:]
        wait_until(lambda: rows_of(log)[-1]["reopened"] > 0, "a row of the pedal that plays again")
        end(process)
    rows = rows_of(log)
    assert "the sound card gives no audio any more" in line and "opened again" in again
    assert rows[-1]["preset"] == names[1]
    # Pauses double: a loop without them would try a hundred times meanwhile.
    assert rows[-1]["reopened"] <= 8
    rendered = rendered_after_silence(open_tflite(GOLDEN / f"{names[1]}.tflite", "litert", 64), track,
                                      played[: len(track)], slice(FADED_IN, LEAD_IN))
    np.testing.assert_array_equal(played[FADED_IN : len(track)], rendered)


def test_a_storm_of_xruns_has_the_card_opened_anew_after_longer_and_longer_times_until_it_is_over(
        tmp_path, monkeypatch):
    """With long periods, that a busy machine makes no storm of its own, and a fifth of the usual patience."""
    log, program = tmp_path / "pedal.jsonl", tmp_path / "run.py"
    program.write_text("from neuralpedal.cli.main import main\nfrom neuralpedal.device import xrun_storm\n"
                       "xrun_storm._FIRST_S = 1\nmain()\n")
    with (running_server(tmp_path, monkeypatch, period=1024) as server,
          running(server, MODEL, "--engine", "litert", "--headless", "--log", log, "--late-blocks", 0, "--block", 1024,
                  program=(program,)) as process):
        wait_until(lambda: len(rows_of(log)) > 0, "the first row")
        said = []
        with storm(server, 0.04):
            for line in iter(process.stderr.readline, ""):
                said.append(line)
                if "opened again (2)" in line:
                    break
        wait_until(lambda: rows_of(log)[-1]["reopened"] == 2, "a row of the pedal that plays on")
        end(process)
    told = [line for line in said if "trying again" in line]
    for line, seconds, pause in zip(told, (1, 2), ("0.25", "0.5"), strict=True):
        assert f"has lost a quarter of its blocks for {seconds} s; trying again in {pause} s" in line


def test_a_signal_while_there_is_no_card_ends_run_with_exit_code_0(jack_server: JackServer, tmp_path):
    log = tmp_path / "pedal.jsonl"
    with running(jack_server, MODEL, "--engine", "litert", "--headless", "--log", log) as process:
        wait_until(lambda: len(rows_of(log)) > 0, "the first row")
        jack_server.stop()
        for line in iter(process.stderr.readline, ""):
            if "trying again in 1 s" in line:
                break
        assert "ended while there was no sound card" in end(process)


def test_what_plays_ends_with_the_process_that_started_it(jack_server: JackServer, tmp_path):
    log = tmp_path / "pedal.jsonl"
    with running(jack_server, MODEL, "--engine", "litert", "--headless", "--log", log) as process:
        wait_until(lambda: len(rows_of(log)) > 0, "the first row")
        player = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        process.kill()
        process.communicate(timeout=30)
    status = Path(f"/proc/{player}/status")
    wait_until(lambda: not status.exists() or "State:\tZ" in status.read_text(), "the player to end")


def test_the_cards_are_listed_as_a_table_and_as_json(jack_server: JackServer, cli):
    code, out, _ = cli("run", "--list")
    assert code == 0 and "system" in out and "48000" in out and "JACK" in out
    devices = json.loads(cli("run", "--list", "--json")[1])
    assert devices[0]["name"] == "system" and devices[0]["input_channels"] == 2


def test_a_card_of_another_rate_is_refused_with_advice(tmp_path, monkeypatch, cli):
    with running_server(tmp_path, monkeypatch, rate_hz=44_100):
        code, out, err = cli("run", MODEL, "--engine", "litert")
    assert (code, out) == (1, "")
    assert "refuses 48000 Hz" in err and "runs at 44100 Hz, the model at 48000 Hz" in err and "-r 48000" in err


@pytest.mark.parametrize(("arguments", "code", "words"), [
    ((MODEL, "--rate", "44100"), 2, "was trained at 48000 Hz and plays rightly at no other rate"),
    ((MODEL, "--block", "8"), 2, "--block"),
    ((MODEL, "--input-gain", "90"), 2, "input_gain_db: Input should be less than or equal to 60 (found 90.0)"),
    ((MODEL, "--seconds", "0"), 2, "--seconds"), ((), 2, "no MODEL given"), (("gone.tflite",), 1, "gone.tflite"),
    ((MODEL, "--engine", "reference"), 2, "--engine"),
])
def test_what_cannot_be_played_is_said_before_a_card_is_opened(cli, monkeypatch, arguments, code, words):
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    if "--engine" not in arguments and arguments:
        arguments = (*arguments, "--engine", "litert")
    found, out, err = cli("run", *arguments)
    assert (found, out) == (code, "") and words in err


def test_a_card_that_is_not_there_and_a_log_that_cannot_be_written_are_named(jack_server: JackServer, cli, tmp_path):
    code, _, err = cli("run", MODEL, "--engine", "litert", "--device", "scarlett")
    assert code == 1 and "no sound card 'scarlett'" in err
    code, _, err = cli("run", MODEL, "--engine", "litert", "--log", tmp_path / "gone" / "pedal.jsonl")
    assert code == 1 and "pedal.jsonl: cannot be written" in err


def test_run_loads_no_tensorflow_scipy_or_matplotlib(jack_server: JackServer):
    script = ("import sys\nfrom neuralpedal.cli.main import run\n"
              f"assert run(['run', {str(MODEL)!r}, '--seconds', '0.3']) == 0\n"
              "print(sorted({'tensorflow', 'keras', 'scipy', 'matplotlib'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", script], env=jack_server.environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
