"""Plays the test that lies in a file, so that a misread network is noticed before anybody hears it."""

from dataclasses import replace

import numpy as np

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.reference import open_reference
from neuralpedal.train.importing.capture import Capture

LARGEST_ERROR = 1e-4
"""Of full scale, or of the peak where that is larger. A transposed matrix or a gate in the wrong place is a thousand
times farther off; float32 sums in another order stay ten times below."""


MOST_SAMPLES = 8192
"""Of the test that are played: AIDA-X writes 2,048."""


def check_golden(capture: Capture, force: bool) -> tuple[Capture, float | None]:
    """The capture, with a remark where its test failed and was overruled, and the largest error; None without a test.

    Raises:
        ModelFileError: the network does not play its own test, and ``force`` is not given.
    """
    golden = capture.golden
    if golden is None or not len(golden.dry):
        return capture, None
    dry, wet = golden.dry[:MOST_SAMPLES], golden.wet[:MOST_SAMPLES]
    gain = 10.0 ** (capture.output_gain_db / 20.0)
    played = gain * open_reference(golden.weights).process(dry)
    with np.errstate(invalid="ignore"):
        error = float(np.max(np.abs(played - wet), initial=0.0))
        peak = float(np.max(np.abs(wet), initial=1.0))
    if error <= LARGEST_ERROR * peak:
        return capture, error
    said = (f"its own test of {len(dry)} samples comes out {error:.2g} away from what it says, wanted at most "
            f"{LARGEST_ERROR * peak:.2g}")
    if not force:
        raise ModelFileError(f"{capture.path}: {said}; the file was edited or is damaged, --force takes it "
                             "all the same")
    return replace(capture, remarks=(*capture.remarks, said)), error if np.isfinite(error) else None
