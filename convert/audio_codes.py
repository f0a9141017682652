"""Which audio code a ``w8a8`` file gets: whichever plays nearer to the float network.

Tried on the loudest moments of the calibration audio, in the integer reference and never on what the file is measured
on. Coarse and fine channels (contract/coarse_fine.py) win wherever the dry signal or the answer needs more than 8 bits;
a network whose hidden state's steps drown all else may as well have the plain file.
"""

from pathlib import Path

import numpy as np

from neuralpedal.contract.audio_border import open_border
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.reference_cells import Float
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.tflite_file import parse_tflite
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.calibration import ActivationRanges
from neuralpedal.convert.int8_graph import build_w8a8_on
from neuralpedal.convert.signal_grids import SignalGrids, choose_coarse_fine_grids, choose_grids
from neuralpedal.convert.source import Signal

TRIED_SECONDS = 2.0


def choose_audio_code(weights: NetworkWeights, ranges: ActivationRanges, audio: Signal) -> SignalGrids:
    """The better of both kinds of grids for ``audio`` (T,) float32. Networks with a frame have the plain one alone."""
    plain = choose_grids(weights, ranges)
    if weights.spec.kind.has_frame:
        return plain
    excerpt = loudest(audio, round(TRIED_SECONDS * weights.spec.sample_rate_hz))
    wanted = ReferenceNetwork(weights).process(excerpt)
    both = plain, choose_coarse_fine_grids(weights, ranges)
    return min(both, key=lambda grids: _cost(weights, grids, excerpt, wanted))


def _cost(weights: NetworkWeights, grids: SignalGrids, dry: Signal, wanted: Float) -> float:
    manifest = Manifest(name="trial", scheme="w8a8", network=weights.spec)
    file = parse_tflite(Path("trial.tflite"), build_w8a8_on(weights, grids, manifest))
    border = open_border(file)
    played = border.decode(open_int8_reference(file).answers(border.encode(dry)), dry)
    return esr(wanted, played)


def loudest(audio: Signal, length: int) -> Signal:
    """The stretch of ``length`` samples with the most energy, or all where there are fewer."""
    if len(audio) <= length:
        return audio
    sums = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
    start = int(np.argmax(sums[length:] - sums[:-length]))
    return audio[start : start + length]
