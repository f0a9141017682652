"""The rate that a capture plays at: what the user says, else what the file says, else what is usual."""

from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.json_node import JsonNode

USUAL_HZ = 48_000


def choose_rate(options: ImportOptions, said: JsonNode | None) -> tuple[int, tuple[str, ...]]:
    """The rate in Hz, and a remark where nobody says one.

    Args:
        said: what the file says.

    Raises:
        ModelFileError: no whole number.
    """
    if options.sample_rate_hz is not None:
        return options.sample_rate_hz, ()
    if said is None:
        return USUAL_HZ, (f"says no sample rate; {USUAL_HZ} Hz is assumed, --rate says otherwise",)
    rate = said.number()
    if rate != round(rate):
        raise said.wrong("a whole number of Hz")
    return round(rate), ()


def find(node: JsonNode, *places: str) -> JsonNode | None:
    """The first of several members, such as ``metadata.samplerate``, that is there."""
    for place in places:
        found: JsonNode | None = node
        for key in place.split("."):
            found = found[key] if found is not None and key in found else None
        if found is not None:
            return found
    return None
