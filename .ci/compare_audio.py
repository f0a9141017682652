"""Exit with an error unless WAVs are what MODEL plays to GUITAR on this machine. Usage: MODEL GUITAR NAME.ENGINE.wav…

Integer engines must agree to the last bit, float ones to 1e-5: processors round sums
differently.
"""

import sys
from pathlib import Path

import numpy as np

from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.audio import read_recording
from neuralpedal.device.stream import stream

TOLERANCE = 1e-5

model, guitar = Path(sys.argv[1]), read_recording(Path(sys.argv[2])).samples
for path in map(Path, sys.argv[3:]):
    engine = path.suffixes[-2].removeprefix(".")
    player = open_tflite(model, engine, 64)
    is_exact = engine == "native" and player.manifest.integer_format is not None
    wanted, found = stream(player, guitar), read_recording(path).samples
    if not np.any(wanted):
        sys.exit(f"{model.name}: silence on this machine")
    difference = float(np.max(np.abs(found.astype(np.float64) - wanted))) if len(found) == len(wanted) else np.inf
    sys.stdout.write(f"{path.name}: largest difference {difference:.3g}, allowed {0.0 if is_exact else TOLERANCE:g}\n")
    if not difference <= (0.0 if is_exact else TOLERANCE):
        sys.exit(f"{path.name}: not what this machine plays")
