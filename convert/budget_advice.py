"""One sentence on what to do about an error budget, from its largest term.

It names only what exists: schemes of ``--schemes`` and fields of a recipe.
"""

from collections.abc import Mapping

from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.convert.tuning import needs_tuning

NEGLIGIBLE_ESR = 1e-5
"""Below it (50 dB under the signal) the advice is that nothing need be done."""

LARGEST_GAP = 0.5
"""Of the simulation from the file, relative; beyond it the terms are no reason for advice. Networks that remember for
longer than the simulation warms up are such."""

_CAUSES = {
    "weights": "the rounding of the weights to int8",
    "input_code": "the steps of the dry signal",
    "hidden_state": "the steps of the hidden state",
    "gate_saturation": "the format of the gates",
    "cell_format": "the format of the cell",
    "output_code": "the steps of the output",
}
_W8A16_HAS = {
    "weights": "a scale per output channel instead of per gate",
    "input_code": "16 bits there",
    "hidden_state": "16 bits there",
    "gate_saturation": "gates that never saturate, where TFLite's end at ±8",
    "cell_format": "a cell of 31 bits instead of 16",
    "output_code": "16 bits there",
}
_W8_HAS = {"weights": "a scale per output channel instead of per gate"}
_FLOAT = "float arithmetic there"
_TRAIN = ("a training that ends on their grid makes it cost nothing (int8_weights_from below 1 in the recipe, as in "
          "all of neuralpedal's own)")


def advice(scheme: str, terms: Mapping[str, float], measured: float, has_frame: bool, together: float) -> str:
    """The sentence.

    Args:
        terms, measured, together: as in the budget.
        has_frame: the family has neither w8a16 nor fine-tuning.
    """
    if measured <= NEGLIGIBLE_ESR:
        return f"{scheme} is within ESR {NEGLIGIBLE_ESR:.0e} of the float model: nothing need be done."
    if abs(together / measured - 1.0) > LARGEST_GAP:
        return (f"{scheme}: the simulation has ESR {together:.2g} where the file has {measured:.2g}, so that its terms "
                "do not explain the file: go by the file's figure.")
    largest = max(terms, key=lambda term: terms[term])
    tunable = not has_frame and needs_tuning(scheme, measured)
    tune = ", and --finetune trains on in the arithmetic of the file" if tunable else ""
    return f"{scheme}: the largest part is {_CAUSES[largest]}; {_remedy(scheme, largest, has_frame)}{tune}."


def _remedy(scheme: str, term: str, has_frame: bool) -> str:
    if scheme in ("w8a8", TFLM16X8) and not has_frame:
        return f"--schemes {W8A16} has {_W8A16_HAS[term]}"
    if scheme in ("w8a8", W8A16) and not (scheme == W8A16 and term == "weights"):
        return f"--schemes w8 has {_W8_HAS.get(term, _FLOAT)}"
    return _TRAIN
