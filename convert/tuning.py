"""Fine-tuning as ``convert`` sees it: which schemes need it, what is tuned for them, and what is built from the result.

Who tunes is the caller's (cli hands train/finetuning.py in): convert must not know the training. The teacher is the
float model, so dry audio is all that it takes: the audio that calibrates. Or it is the pedal's recording of that audio.
"""

from dataclasses import replace
from typing import Protocol

from neuralpedal.contract.arithmetic import Arithmetic
from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.audio_codes import choose_audio_code
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.hidden_ranges import w8a8_ranges
from neuralpedal.convert.int16_graph import choose_int16_grids
from neuralpedal.convert.integer_formats import choose_formats, measure_ranges
from neuralpedal.convert.scheme_arithmetic import w8_arithmetic, w8a8_arithmetic, w8a16_arithmetic
from neuralpedal.convert.signal_grids import choose_coarse_fine_grids, choose_grids
from neuralpedal.convert.source import ConversionSource, Signal

TEACHERS = {"float": "the float model", "wet": "the pedal's recording"}
"""What a tuned file should play like."""

GOOD_ENOUGH_ESR = {"w8": 1e-4, W8A16: 1e-4, TFLM16X8: 1e-3, "w8a8": 1e-3}
"""ESR against the float model up to which a scheme is left as it is; the others are not tuned at all."""


class Tuner(Protocol):
    """Trains a network on in a scheme's arithmetic.

    Attributes:
        minutes: what it takes for each. teacher: of ``TEACHERS``.
    """

    minutes: float
    teacher: str

    def tune(self, scheme: str, weights: NetworkWeights, arithmetic: Arithmetic, dry: Signal,
             target: Signal) -> NetworkWeights:
        """Weights whose matrices lie on the grids of ``arithmetic`` and that play ``dry`` (T,) most like ``target``."""


def check_tunable(spec: NetworkSpec | WaveNetSpec) -> None:
    """Refuse before anything is written. Raises SpecError."""
    if isinstance(spec, WaveNetSpec):
        raise SpecError(f"{spec.label}: WaveNets are not fine-tuned yet, recurrent networks are; convert without "
                        "--finetune")
    if spec.kind.has_frame:
        raise SpecError(f"{spec.label}: frame networks are not fine-tuned, those that stream are; convert without "
                        "--finetune")


def check_teacher(teacher: str, source: ConversionSource) -> None:
    """Raises SpecError for a teacher that is not there."""
    if teacher not in TEACHERS:
        raise SpecError(f"--finetune-on {teacher}: not one of {', '.join(TEACHERS)}")
    if teacher == "wet" and source.calibration_wet is None:
        raise SpecError(f"{source.name}: --finetune-on wet needs the pedal's recording of the audio that calibrates; "
                        "give --dry and --wet, or fine-tune on the float model")


def lesson(teacher: str, source: ConversionSource) -> Signal:
    """What should come out of a tuned file over the calibration audio, (T,)."""
    if teacher == "wet":
        assert source.calibration_wet is not None
        return source.calibration_wet
    return source.float_model(source.calibration)


def needs_tuning(scheme: str, esr_float: float) -> bool:
    """Whether a written file is far enough from the float model."""
    return scheme in GOOD_ENOUGH_ESR and esr_float > GOOD_ENOUGH_ESR[scheme]


def tuned_source(scheme: str, source: ConversionSource, tuner: Tuner, target: Signal) -> ConversionSource:
    """``source`` with weights tuned for a scheme, to build and measure as any other.

    Args:
        target: what should come out over the calibration audio, see :func:`lesson`.
    """
    # Rounded already, so that tuning begins where rounding ended.
    start = source.channel_rounded if scheme in ("w8", W8A16) else source.gate_rounded
    audio, grids = source.calibration, None
    if scheme == "w8":
        weights = tuner.tune(scheme, start, w8_arithmetic(start.spec), audio, target)
    elif scheme == W8A16:
        formats = choose_formats(start, measure_ranges(start, audio))
        weights = tuner.tune(scheme, start, w8a16_arithmetic(formats), audio, target)
    elif scheme == TFLM16X8:
        grids = choose_int16_grids(calibrate(start, audio), start.spec.skip)
        weights = tuner.tune(scheme, start, w8a8_arithmetic(grids, start.spec.skip), audio, target)
    else:
        ranges = w8a8_ranges(start, audio)
        chosen = choose_audio_code(start, ranges, audio)
        weights = tuner.tune(scheme, start, w8a8_arithmetic(chosen, start.spec.skip), audio, target)
        # The ranges stay those of the start: the file must round where the tuning rounded. The head's scale is new.
        grids = (choose_coarse_fine_grids(weights, ranges, chosen.ratio) if chosen.ratio
                 else choose_grids(weights, ranges))
    said = f"{tuner.minutes:g} minutes in the arithmetic of {scheme}, teacher: {TEACHERS[tuner.teacher]}"
    return replace(source, weights=weights, grids=grids, provenance={**source.provenance, "fine_tuned": said})
