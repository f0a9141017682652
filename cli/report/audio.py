"""The audio of a report: one take through everything that was measured, and what of it is heard in the page."""

import base64
import io
from dataclasses import dataclass, replace

import numpy as np
import soundfile
from numpy.typing import NDArray

Signal = NDArray[np.float32]

EXCERPT_SECONDS = 6.0
"""A dozen tracks of this length are a page of about five megabytes."""

ERROR_GAIN = 10.0
"""20 dB: errors of a good scheme are too soft to be heard as they are."""

_HEADROOM = 0.98


@dataclass(frozen=True)
class ReportAudio:
    """One take; every array is (T,) float32.

    Attributes:
        dry: the guitar. wet: the pedal's recording of it; None where there is none.
        float_wet: the float model's output. schemes: that of each written file, by scheme.
    """

    sample_rate_hz: int
    dry: Signal
    wet: Signal | None
    float_wet: Signal
    schemes: dict[str, Signal]

    @property
    def reference(self) -> Signal:
        """What the pedal plays: its recording, or the float model where there is none."""
        return self.float_wet if self.wet is None else self.wet

    def loudest(self, seconds: float) -> "ReportAudio":
        """The stretch of at most ``seconds`` in which the pedal has most energy."""
        length = min(len(self.reference), round(seconds * self.sample_rate_hz))
        energy = np.concatenate([[0.0], np.cumsum(np.square(self.reference, dtype=np.float64))])
        start = int(np.argmax(energy[length:] - energy[: len(energy) - length]))
        window = slice(start, start + length)
        return replace(self, dry=self.dry[window], wet=None if self.wet is None else self.wet[window],
                       float_wet=self.float_wet[window],
                       schemes={name: track[window] for name, track in self.schemes.items()})


@dataclass(frozen=True)
class Track:
    """Something to listen to.

    Attributes:
        kind: ``dry``, ``wet``, ``float``, ``scheme`` or ``error``.
        samples: (L,) float32; an error is already amplified by ``ERROR_GAIN`` and clipped at full scale.
        gain: linear; brings tracks to one rms. Errors share the gain of the reference: they are
            as much too loud as they say.
    """

    id: str
    label: str
    kind: str
    samples: Signal
    gain: float


def tracks_of(excerpt: ReportAudio) -> list[Track]:
    """All that a page plays: dry, wet, float, schemes, then what is wrong with float and with each scheme.

    A scheme's error is taken against the float model, which is what quantizing cost; that of the float model against
    the pedal. Without the pedal's recording there is neither wet nor that error. The common rms is as high as no track
    clips at.
    """
    outputs = {"dry": ("dry (guitar)", excerpt.dry)}
    if excerpt.wet is not None:
        outputs["wet"] = ("wet (pedal)", excerpt.wet)
    outputs |= {"float": ("float model", excerpt.float_wet), **{name: (name, track)
                                                                for name, track in excerpt.schemes.items()}}
    loudness = min(_rms(samples) * _HEADROOM / max(_peak(samples), 1e-9) for _, samples in outputs.values()
                   if _rms(samples) > 0.0)
    loudness = min(loudness, _rms(excerpt.reference))
    kinds = dict.fromkeys(excerpt.schemes, "scheme")
    tracks = [Track(name, label, kinds.get(name, name), samples, loudness / (_rms(samples) or loudness))
              for name, (label, samples) in outputs.items()]
    errors = {name: (f"error of {name}", track - excerpt.float_wet) for name, track in excerpt.schemes.items()}
    if excerpt.wet is not None:
        errors = {"float": ("error of the float model", excerpt.float_wet - excerpt.wet), **errors}
    return tracks + [Track(f"error-{name}", f"{label}, +20 dB", "error", np.clip(ERROR_GAIN * error, -1.0, 1.0),
                           loudness / _rms(excerpt.reference)) for name, (label, error) in errors.items()]


def flac_base64(samples: Signal, sample_rate_hz: int) -> str:
    """16-bit FLAC as text."""
    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(samples, -1.0, 1.0), sample_rate_hz, format="FLAC", subtype="PCM_16")
    return base64.b64encode(encoded.getvalue()).decode("ascii")


def _rms(samples: Signal) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _peak(samples: Signal) -> float:
    return float(np.max(np.abs(samples)))
