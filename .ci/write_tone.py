"""Write one second of a 220 Hz tone: the smoke test's guitar."""

import sys
from pathlib import Path

import numpy as np

from neuralpedal.contract.audio import write_recording

time_s = np.arange(48_000) / 48_000
write_recording(Path(sys.argv[1]), (0.3 * np.sin(2 * np.pi * 220 * time_s)).astype(np.float32), 48_000)
