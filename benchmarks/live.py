"""A minute of guitar through ``neuralpedal run`` on a JACK dummy card, compared with ``render``, sample by sample.

    python benchmarks/live.py MODEL.tflite [GUITAR.wav] [--block 64] [--seconds 60]

Needs jackd and JACK-Client (`make test` installs both). In freewheel mode: exact, and no statement about being in time.
Without a guitar it plays the tests' plucked notes. `render`
hears the same silence before the guitar as `run` did, because a network does not forget it to the last bit.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from jack_rig import JackServer, playing, rendered_after_silence
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.audio import read_recording
from signals import plucks

LEAD_IN_S = 0.5


def compare(model: Path, engine: str, block: int, track: np.ndarray, lead_in: int) -> str:
    """One run as a line of a table."""
    with tempfile.TemporaryDirectory() as folder:
        server = JackServer(Path(folder))
        server.start()
        command = [sys.executable, "-m", "neuralpedal.cli.main", "run", str(model), "--engine", engine,
                   "--block", str(block), "--headless", "--late-blocks", "0", "--priority", "0"]
        process = subprocess.Popen(command, env=server.environment, stderr=subprocess.PIPE, text=True)
        try:
            with playing(server) as guitarist:
                begun = time.monotonic()
                played = guitarist.play(track, seconds=600.0)[block:]
                took_s = time.monotonic() - begun
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=30)[1].splitlines()[-1]
        finally:
            process.kill()
            server.stop()
    # The first half of the lead-in is left to the pedal's fade-in.
    played = played[: len(track)]
    rendered = rendered_after_silence(open_tflite(model, engine, block), track, played, slice(lead_in // 2, lead_in))
    difference = np.abs(played[lead_in // 2 :].astype(np.float64) - rendered)
    return (f"{engine:8}{block:6}{len(difference):10}{int(np.sum(difference > 0)):10}{np.max(difference):12.3g}"
            f"{took_s:8.1f}  {said}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("guitar", type=Path, nargs="?")
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    rate_hz = open_tflite(arguments.model, "litert", arguments.block).sample_rate_hz
    length = round(arguments.seconds * rate_hz)
    guitar = read_recording(arguments.guitar).samples if arguments.guitar else plucks(arguments.seconds)
    lead_in = round(LEAD_IN_S * rate_hz)
    track = np.concatenate([np.zeros(lead_in, np.float32), np.resize(guitar, length)])
    print(f"{'engine':8}{'block':>6}{'samples':>10}{'different':>10}{'largest':>12}{'s':>8}")
    for engine in ("native", "litert"):
        print(compare(arguments.model, engine, arguments.block, track, lead_in), flush=True)


if __name__ == "__main__":
    main()
