"""Why audio was lost: what can be told from the meter, PortAudio's status bits and the state of the machine.

Likely, not certain: what the kernel did meanwhile nobody saw.
"""

from neuralpedal.device.block_meter import Xrun
from neuralpedal.device.vitals import Vitals

_FLAGS = {1: "input underflow", 2: "input overflow", 4: "output underflow", 8: "output overflow"}


def likely_cause(xrun: Xrun, vitals: Vitals) -> str:
    """One phrase; ``vitals`` of about the same time."""
    if xrun.after_late:
        return "engine late" + _why_slow(vitals)
    if xrun.held_up_ms:
        return f"callback {xrun.held_up_ms:.1f} ms late: held up by the kernel or another program{_why_slow(vitals)}"
    told = ", ".join(word for bit, word in _FLAGS.items() if xrun.flags & bit)
    return f"card or driver ({told})"


def _why_slow(vitals: Vitals) -> str:
    if vitals.throttled:
        return f", processor throttled ({', '.join(vitals.throttled)})"
    if vitals.clock_is_low:
        return (f", clock at {vitals.clock_mhz:.0f} of {vitals.clock_max_mhz:.0f} MHz (governor "
                f"{vitals.governor or 'unknown'})")
    return ""
