"""One take: the track through the pedal, whole or again from its beginning; then dry and wet in step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.card_recorder import CardRecorder
from neuralpedal.cli.recording.clicks import LONGEST_S, ClickArrival, find_clicks
from neuralpedal.cli.recording.track import LEAD_S, CaptureTrack
from neuralpedal.contract.errors import AudioDeviceError, RecordingError
from neuralpedal.device.block_meter import dbfs
from neuralpedal.device.tape import Tape
from neuralpedal.train.inspection.repeats import repeatability_esr

Track = NDArray[np.float32]
Report = Callable[[float], None]

CLIPPED_PEAK = 0.999
_SILENT_DBFS = -80.0


@dataclass(frozen=True)
class Take:
    """Dry and wet, equally long and in step as far as the clicks say.

    Attributes:
        arrival: of the clicks; None where they were not heard, and then nothing was moved.
        wet_peak_dbfs: of the record. spoilt_takes: that were given up before this one.
    """

    dry: Track
    wet: Track
    arrival: ClickArrival | None
    wet_peak_dbfs: float
    spoilt_takes: int

    def moved(self, samples: int) -> "Take":
        """The wet track so many samples earlier (negative: later), both cut to what overlaps."""
        if samples == 0:
            return self
        ahead, behind = max(0, samples), max(0, -samples)
        dry, wet = self.dry[behind : len(self.dry) - ahead], self.wet[ahead : len(self.wet) - behind]
        return Take(dry, wet, self.arrival, self.wet_peak_dbfs, self.spoilt_takes)


def record_take(recorder: CardRecorder, track: CaptureTrack, tries: int, report: Report,
                warn: Callable[[str], None]) -> Take:
    """Record until a take has lost no block; a spoilt one is given up at once and begun again.

    Raises:
        AudioDeviceError: every try lost blocks, or the card is gone. RecordingError: silent, clipped, or samples are
            missing. KeyboardInterrupt: Ctrl-C.
    """
    def go_on(tape: Tape) -> bool:
        report(tape.share)
        return tape.xruns == 0

    for spoilt in range(tries):
        tape = recorder.record(track.samples, round(LONGEST_S * track.sample_rate_hz), go_on)
        if not tape.xruns:
            return align_take(track, tape.record, spoilt)
        where = next(section.name for section in track.sections[::-1] if section.start <= tape.first_xrun)
        warn(f"blocks were lost (xrun) after {tape.first_xrun / track.sample_rate_hz:.1f} s, in the {where}: take "
             f"{spoilt + 1} of {tries} is given up")
    raise AudioDeviceError(f"blocks were lost in each of {tries} takes: choose larger blocks than --block "
                           f"{recorder.form.block_size} (1024 at most), close other programs; nothing was written")


def align_take(track: CaptureTrack, record: Track, spoilt: int = 0) -> Take:
    """Lay a record (longer than the track) beside it. Raises RecordingError."""
    peak = float(np.max(np.abs(record)))
    if peak >= CLIPPED_PEAK:
        raise RecordingError(f"the take is clipped (peak {dbfs(peak):.1f} dBFS): turn the pedal's volume or the card's "
                             "input down and record again; nothing was written")
    if dbfs(peak) < _SILENT_DBFS:
        raise RecordingError(f"nothing comes back (peak {dbfs(peak):.0f} dBFS): is the pedal on, and are both cables "
                             "in? nothing was written")
    arrival = find_clicks(record, track.clicks, track.sample_rate_hz)
    wet = record[arrival.latency_samples if arrival else 0 :][: len(track.samples)]
    return Take(track.samples[: len(wet)], wet, arrival, dbfs(peak), spoilt)


def repeatability(track: CaptureTrack, wet: Track) -> float:
    """Of the passage that was played twice, in a wet track that lies in step with the whole track: an ESR."""
    lead = round(LEAD_S * track.sample_rate_hz)
    first, second = (wet[section.start + lead : section.stop] for section in track.named("repeated"))
    return repeatability_esr(first, second)


def sections_json(track: CaptureTrack) -> list[dict[str, Any]]:
    """For record.json: name and seconds of every section."""
    rate = track.sample_rate_hz
    return [{"name": section.name, "start_s": round(section.start / rate, 4), "stop_s": round(section.stop / rate, 4)}
            for section in track.sections]
