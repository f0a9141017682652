"""Recordings that a model is measured on, put in step if asked to, and looked at if not.

A network that was trained on aligned recordings is measured wrongly on a pair that is not: nine samples late is an
ESR of 0.2.
"""

from neuralpedal.cli.console import note, warn
from neuralpedal.contract.alignment import Alignment
from neuralpedal.contract.pair import RecordingPair


def put_in_step(pair: RecordingPair, align: bool) -> tuple[RecordingPair, Alignment]:
    """The pair, corrected when ``align``, and what was corrected; a warning when it is needed and was not asked for.

    Raises:
        ImportError: ``align`` without SciPy; without ``align`` nobody is told: a Pi that plays has none.
    """
    try:
        from neuralpedal.train.inspection.correction import corrections, find_alignment
    except ImportError:
        if align:
            raise
        return pair, Alignment()
    found = find_alignment(pair)
    said = corrections(found, str(pair.wet.path))
    for sentence in said:
        found_only = sentence.rpartition(";")[0]
        note(sentence) if align else warn(f"{found_only}; measured as it is, add --align to correct it")
    return (found.apply(pair), found) if align else (pair, Alignment())
