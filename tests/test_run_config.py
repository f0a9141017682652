"""``run --config`` as guitarists use it: presets on a JACK dummy card, changed in the music, back after a kill."""

import json
import os
import shutil
import signal
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
from test_run_command import GOLDEN, end, running

from jack_rig import JackServer, playing, wait_until
from signals import RATE_HZ

CONFIG = """\
engine: litert
late_blocks: 0
presets:
  - name: plain
    model: lstm-1x4-skip.w8.tflite
  - name: everything
    model: lstm-2x3.float32.tflite
    input_gain_db: -3
    gate: {threshold_db: -60}
    tone: {treble: 7, mid: 3}
    cabinet: {file: ir.wav}
"""


def make(folder: Path) -> Path:
    for name in ("lstm-1x4-skip.w8", "lstm-2x3.float32"):
        shutil.copy(GOLDEN / f"{name}.tflite", folder)
    noise = np.random.default_rng(0).normal(0.0, 0.3, 2000) * np.exp(-np.arange(2000) / 200.0)
    soundfile.write(folder / "ir.wav", np.convolve(noise, np.hanning(16)) / 8.0, RATE_HZ, subtype="FLOAT")
    (folder / "pedal.yaml").write_text(CONFIG)
    return folder / "pedal.yaml"


def largest_step(samples: np.ndarray) -> float:
    return float(np.max(np.abs(np.diff(samples.astype(np.float64)))))


def test_presets_and_bypass_change_in_the_music_without_a_step(jack_server: JackServer, tmp_path):
    """By signals every so often, at places that JACK chooses; compared with the largest step of each sound alone."""
    config = make(tmp_path)
    tone = (0.3 * np.sin(2 * np.pi * 82.4 * np.arange(20 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    tone[: RATE_HZ // 4] *= np.linspace(0.0, 1.0, RATE_HZ // 4, dtype=np.float32)
    settled = slice(RATE_HZ // 2, 2 * RATE_HZ)
    with running(jack_server, "--config", config, "--headless") as process:
        with playing(jack_server) as guitarist:
            alone, numbers = [tone], (signal.SIGUSR1, signal.SIGUSR1)
            for number in numbers:
                alone.append(guitarist.play(tone[: 2 * RATE_HZ]).copy())
                process.send_signal(number)
                guitarist.play(np.zeros(RATE_HZ, np.float32))
            stop = threading.Event()

            def change() -> None:
                turn = 0
                while not stop.wait(0.05):
                    process.send_signal((signal.SIGUSR1, signal.SIGUSR2)[turn % 3 == 2])
                    turn += 1

            changing = threading.Thread(target=change)
            changing.start()
            try:
                mixed = guitarist.play(tone).copy()
            finally:
                stop.set()
                changing.join()
        end(process)
    own = max(largest_step(sound[settled]) for sound in alone)
    mixed = mixed[RATE_HZ // 2 : len(tone)]
    levels = np.std(mixed[: len(mixed) // 4096 * 4096].reshape(-1, 4096), axis=1)
    assert np.ptp(levels) > 0.05 * np.max(levels), "it did change"
    assert largest_step(mixed) <= 1.01 * own


def test_the_last_preset_is_back_after_the_process_was_killed(jack_server: JackServer, tmp_path):
    config, log = make(tmp_path), tmp_path / "pedal.jsonl"
    state = tmp_path / "pedal.state.json"

    def presets() -> list[str]:
        return [json.loads(line)["preset"] for line in log.read_text().splitlines()] if log.exists() else []

    with running(jack_server, "--config", config, "--headless", "--log", log) as process:
        wait_until(lambda: presets() == ["plain"], "the first row")
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: state.exists() and json.loads(state.read_text())["preset"] == "everything", "the state")
        process.kill()
    log.unlink()
    with running(jack_server, "--config", config, "--headless", "--log", log) as process:
        wait_until(lambda: len(presets()) > 0, "a row")
        end(process)
    assert set(presets()) == {"everything"}


def test_sigterm_saves_what_was_changed_last_and_the_next_start_is_there_again(jack_server: JackServer, cli, tmp_path):
    config, socket = make(tmp_path), tmp_path / "ctl.sock"
    status: dict = {}

    def is_answered() -> bool:
        code, out, _ = cli("ctl", "status", "--json", "--socket", socket)
        status.update(json.loads(out) if code == 0 else {})
        return code == 0

    for number in range(2):
        with running(jack_server, "--config", config, "--headless", "--socket", socket) as process:
            status.clear()
            wait_until(is_answered, "an answer")
            if number == 0:
                assert (status["preset"], status["bypassed"]) == ("plain", False)
                for words in ("preset everything", "set output_gain_db -6", "bypass on"):
                    assert cli("ctl", *words.split(), "--socket", socket)[0] == 0
            # Sooner than a second after the last change, when a state is kept anyway.
            end(process)
    gain_db = status["parameters"]["output_gain_db"]["value"]
    assert (status["preset"], status["bypassed"], gain_db) == ("everything", True, -6.0)


def test_an_error_in_the_file_is_one_line_with_its_place_and_exit_code_2(cli, tmp_path):
    config = make(tmp_path)
    config.write_text(CONFIG.replace("treble: 7", "treble: 11"))
    code, out, err = cli("run", "--config", config)
    assert (code, out) == (2, "")
    assert f"{config}:10: presets.2.tone.treble: found 11, wanted a number from 0 to 10; correct it" in err
    config.write_text(CONFIG)
    (tmp_path / "lstm-1x4-skip.w8.tflite").write_bytes(b"no model")
    code, _, err = cli("run", "--config", config)
    assert code == 2 and f"{config}:5: presets.1.model: " in err


def test_sigterm_while_run_reads_its_settings_ends_it_with_exit_code_0(jack_server: JackServer, tmp_path):
    config, writers = tmp_path / "piped.yaml", []
    os.mkfifo(config)

    def is_read() -> bool:
        with suppress(OSError):
            writers.append(os.open(config, os.O_WRONLY | os.O_NONBLOCK))
        return len(writers) > 0

    with running(jack_server, "--config", config, "--headless") as process:
        wait_until(is_read, "run to read its settings")
        assert end(process) == ""
    os.close(writers[0])


def test_signals_that_come_while_models_load_and_before_there_is_a_card_are_obeyed_once_it_plays(jack_server, tmp_path):
    """Pipes in place of files hold the process where the signal is to find it."""
    settings, log = make(tmp_path).read_text(), tmp_path / "log"
    config = tmp_path / "piped.yaml"
    os.mkfifo(config)
    os.mkfifo(log)
    rows = b""

    def is_read() -> bool:
        try:
            writer = os.open(config, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        process.send_signal(signal.SIGUSR1)
        os.write(writer, settings.encode())
        os.close(writer)
        return True

    with running(jack_server, "--config", config, "--headless", "--log", log) as process:
        wait_until(is_read, "run to read its settings")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: children.read_text() != "", "what plays to begin")
        process.send_signal(signal.SIGUSR2)
        reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)

        def has_row() -> bool:
            nonlocal rows
            with suppress(BlockingIOError):
                rows += os.read(reader, 65536)
            return b"\n" in rows

        try:
            wait_until(has_row, "the first row")
            end(process)
        finally:
            os.close(reader)
    row = json.loads(rows.partition(b"\n")[0])
    assert (row["preset"], row["state"]) == ("everything", "bypassed")
