"""Half an hour of guitar through presets that change every second: memory must not grow and no block may be lost.

    python benchmarks/soak.py [MODEL.tflite…] [--minutes 30] [--engine native] [--block 64]

Needs jackd, PyAudio and JACK-Client (`make test` installs them). JACK's freewheel mode: as fast as the machine can, so
it says nothing about being in time. Each preset has gate, tone stack and a cabinet in its path. After a warm-up of a
fifth of the time exit code 1 says that resident memory (1 MB) or Python's own (`tracemalloc`, 64 KiB) grew, that a
block of the guitar was answered by silence, or that an engine failed.
"""

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from jack_rig import JackServer, playing
from neuralpedal.cli.quick_threads import quick_threads
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.audio import write_recording
from neuralpedal.device.action import Action
from neuralpedal.device.audio_device import AudioSystem, StreamFormat
from neuralpedal.device.pedal_file import CabinetSettings, GateSettings, PresetSettings, ToneSettings
from neuralpedal.device.pedalboard import Pedalboard
from neuralpedal.device.sound.cabinet import read_impulse_response
from neuralpedal.device.voice import Voice
from signals import plucks

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
USUAL = [GOLDEN / f"{name}.tflite" for name in ("lstm-1x4-skip.w8", "lstm-2x3.w8")]
MOST_RESIDENT_BYTES, MOST_TRACED_BYTES = 1_000_000, 65_536


def make_board(models: list[Path], engine: str, block: int, folder: Path) -> Pedalboard:
    """A preset per model, everything in its path."""
    voices = []
    for index, model in enumerate(models):
        player = open_tflite(model, engine, block)
        box = folder / "box.wav"
        decay = np.random.default_rng(1).normal(0.0, 0.1, 2048) * np.exp(-np.arange(2048) / 300.0)
        write_recording(box, decay.astype(np.float32), player.sample_rate_hz)
        settings = PresetSettings(name=f"preset {index + 1:02}", model=str(model), tone=ToneSettings(),
                                  gate=GateSettings(threshold_db=-100.0), cabinet=CabinetSettings(file=str(box)))
        voices.append(Voice(player, settings, read_impulse_response(box, player.sample_rate_hz)))
    return Pedalboard(voices, late_blocks=0)


class Switcher(threading.Thread):
    """Plays the next preset after every second of audio, as control threads do."""

    def __init__(self, board: Pedalboard) -> None:
        super().__init__(daemon=True)
        self._board, self.changes, self.ends = board, 0, False

    def run(self) -> None:
        """Until ``ends``."""
        pedal, seen = self._board.pedal, 0
        a_second = pedal.engine.sample_rate_hz // pedal.engine.block_size
        while not self.ends:
            time.sleep(0.002)
            self._board.tend()
            if pedal.meter.blocks - seen >= a_second:
                seen = pedal.meter.blocks
                self._board.apply(Action("preset", "next"))
                self.changes += 1


def resident_bytes() -> int:
    """Of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def soak(board: Pedalboard, server: JackServer, seconds: float, parts: int) -> bool:
    """Play; print a row per part; whether all of it is as it should be."""
    pedal, rate_hz, block = board.pedal, board.pedal.engine.sample_rate_hz, board.pedal.engine.block_size
    track = plucks(seconds / parts)
    rows: list[tuple[int, int]] = []
    silent = 0
    with AudioSystem() as audio, quick_threads():
        stream = audio.open(audio.choose(), StreamFormat(rate_hz, block), pedal.process)
        switcher = Switcher(board)
        try:
            stream.start()
            switcher.start()
            with playing(server, seconds * 20 + 120.0) as guitarist:
                guitarist.play(track[:rate_hz])
                tracemalloc.start()
                columns = zip(("audio s", "wall s", "blocks", "changes", "resident MB", "traced KiB", "silent"),
                              (9, 9, 10, 9, 13, 12, 8), strict=True)
                print("".join(f"{name:>{width}}" for name, width in columns))
                begun = time.monotonic()
                for part in range(parts):
                    played = guitarist.play(track, seconds=seconds * 20 + 60.0)[block : len(track)]
                    whole = played[: len(played) // block * block].reshape(-1, block)
                    silent += int(np.sum(~np.any(whole, axis=1)))
                    del played, whole
                    gc.collect()
                    rows.append((resident_bytes(), tracemalloc.get_traced_memory()[0]))
                    audio_s, wall_s = (part + 1) * seconds / parts, time.monotonic() - begun
                    print(f"{audio_s:9.0f}{wall_s:9.1f}{pedal.meter.blocks:10}{switcher.changes:9}"
                          f"{rows[-1][0] / 1e6:13.2f}{rows[-1][1] / 1024:12.1f}{silent:8}", flush=True)
        finally:
            switcher.ends = True
            stream.close()
    resident, traced = (np.array(column) for column in zip(*rows[max(1, parts // 5) :], strict=True))
    grown, leaked = int(resident[-1] - resident[0]), int(traced[-1] - traced[0])
    faults = pedal.meter.read().faults
    print(f"resident {grown / 1e6:+.2f} MB (spread {np.ptp(resident) / 1e6:.2f}), traced {leaked / 1024:+.1f} KiB, "
          f"{silent} blocks of silence, {faults} engine failures, {switcher.changes} changes")
    return (np.ptp(resident) <= 2 * MOST_RESIDENT_BYTES and abs(grown) <= MOST_RESIDENT_BYTES
            and leaked <= MOST_TRACED_BYTES and not silent and not faults and switcher.changes >= 0.5 * seconds)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="*", default=USUAL)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--parts", type=int, default=30)
    parser.add_argument("--engine", default="native")
    parser.add_argument("--block", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        board = make_board(arguments.models, arguments.engine, arguments.block, Path(folder))
        server = JackServer(Path(folder))
        server.start()
        os.environ.update(server.environment)
        try:
            well = soak(board, server, 60.0 * arguments.minutes, arguments.parts)
        finally:
            server.stop()
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
