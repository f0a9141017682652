"""What a ``.tflite`` pedal says about itself: JSON in the model's metadata, so that one file is the pedal.

``format_version`` grows only when an older reader would play the file wrongly; a reader refuses newer ones and ignores
fields it does not know.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neuralpedal.contract.any_network import AnySpec
from neuralpedal.contract.audio_code import CoarseFine
from neuralpedal.contract.errors import ModelFileError, PedalError
from neuralpedal.contract.initial_state import Lists, checked_initial_state
from neuralpedal.contract.integer_format import IntegerFormat
from neuralpedal.contract.spec import DENSE_FIELDS, NetworkSpec, explain_validation
from neuralpedal.contract.wavenet import FAMILY as WAVENET
from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec

FORMAT_VERSION = 5
"""The newest that is read. Files carry the lowest that covers what they hold: 5 with dense layers that bend, 4 with a
WaveNet, 3 with ``initial_state``, 2 with ``audio_code``, else 1."""

_PLAIN, _WITH_AUDIO_CODE, _WITH_INITIAL_STATE, _WITH_WAVENET, _WITH_DENSE = 1, 2, 3, 4, 5
METADATA_NAME = "neuralpedal_manifest"
"""Name of the metadata entry whose buffer holds the JSON (UTF-8)."""

SCHEMES = ("float32", "w8", "w8a16", "tflm16x8", "w8a8")
"""float32; w8: int8 weights per output channel, float arithmetic; w8a16: the same weights, int16 activations, integers
only; tflm16x8: int8 weights, int16 activations, integers only, as tflite-micro alone plays them; w8a8: int8 weights and
activations, integers only."""

FLOAT_SCHEMES = ("float32", "w8")
"""Those with float audio and arithmetic, which every family has; gru and rnn have no others."""

WAVENET_SCHEMES = (*FLOAT_SCHEMES, "w8a16", "w8a8")
"""Of WaveNets, which have no formats in their manifest: they lie in the tensors."""

LARGEST_GAIN_DB = 60.0
"""Of the player's gains, up or down."""

LEVELS = ("input_level_dbu", "output_level_dbu", "loudness_db")
"""Fields that are left out where nobody said them."""

_DECISIVE = NetworkSpec.model_fields.keys() - {"frame_samples", *DENSE_FIELDS}
"""Fields that every recurrent network must state. A family with a frame refuses to be without one by itself, and a
graph with dense layers that bend is refused where none is said."""


class Manifest(BaseModel):
    """The manifest.

    Attributes:
        name: what a player shows.
        scheme: a name of ``SCHEMES``.
        network: what was trained.
        input_gain_db, output_gain_db: applied by the player around the network.
        esr_wet: against the real pedal's recording; esr_float: against the float model. Measured by streaming this
            file's own graph through LiteRT (w8a16, tflm16x8: through the integer reference); None when not measured.
        integer_format: how an LSTM's ``w8a16`` file plays in integers; None for all others.
        audio_code: how audio lies in the int8 channels of a ``w8a8`` file that has two; None for all others.
        initial_state: what a player puts the layers' states to before the first sample, as real numbers: per layer the
            hidden state, then an LSTM's cell; None for zero state.
        input_level_dbu, output_level_dbu: level of a sine whose peaks are full scale at the pedal's input and output,
            when it was recorded; loudness_db: of what it plays. As a foreign file says; None where nobody does.
        provenance: digests of what it was made from (``weights_sha256``, ``dry_sha256``, ``wet_sha256``) and
            ``neuralpedal_version``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: int = _PLAIN
    name: str = Field(min_length=1, max_length=200)
    scheme: str
    network: AnySpec
    input_gain_db: float = Field(default=0.0, ge=-LARGEST_GAIN_DB, le=LARGEST_GAIN_DB)
    output_gain_db: float = Field(default=0.0, ge=-LARGEST_GAIN_DB, le=LARGEST_GAIN_DB)
    esr_wet: float | None = None
    esr_float: float | None = None
    integer_format: IntegerFormat | None = None
    audio_code: CoarseFine | None = None
    initial_state: Lists | None = None
    input_level_dbu: float | None = Field(default=None, ge=-100.0, le=100.0)
    output_level_dbu: float | None = Field(default=None, ge=-100.0, le=100.0)
    loudness_db: float | None = Field(default=None, ge=-200.0, le=100.0)
    provenance: dict[str, str] = Field(default_factory=dict)

    @property
    def recurrent(self) -> NetworkSpec:
        """The network of a file that holds a recurrent one, for those who know no other.

        Raises:
            ModelFileError: another family.
        """
        if not isinstance(self.network, NetworkSpec):
            raise ModelFileError(f"{self.name}: holds a {self.network.label}, and here only recurrent networks are "
                                 "known yet (lstm, gru, rnn); play it with --engine native or litert")
        return self.network

    @property
    def sample_rate_hz(self) -> int:
        """The only rate at which the file plays rightly."""
        return self.network.sample_rate_hz


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as JSON bytes; ``sample_rate_hz`` is repeated at the top for readers that know nothing else."""
    fields: dict[str, Any] = manifest.model_dump(mode="json")
    for name in ("integer_format", "audio_code", "initial_state", *LEVELS):
        if fields[name] is None:
            del fields[name]
    fields["format_version"] = max(manifest.format_version, _needed_version(manifest))
    fields["network"] = manifest.network.model_dump(mode="json", exclude_none=True)
    fields["sample_rate_hz"] = manifest.sample_rate_hz
    return json.dumps(fields, indent=1, allow_nan=False).encode("utf-8")


def _needed_version(manifest: Manifest) -> int:
    if isinstance(manifest.network, WaveNetSpec):
        return _WITH_WAVENET
    if manifest.network.bends:
        return _WITH_DENSE
    return _WITH_INITIAL_STATE if manifest.initial_state else _WITH_AUDIO_CODE if manifest.audio_code else _PLAIN


def decode_manifest(data: bytes, source: str) -> Manifest:
    """Read a manifest; ``source`` names the file in messages.

    Raises:
        ModelFileError: not JSON, a newer format, an unknown scheme, a field missing or out of range.
    """
    try:
        fields = json.loads(data.decode("utf-8"))
    # ValueError: bad UTF-8, bad JSON, an integer of thousands of digits; RecursionError: brackets without end.
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{source}: its manifest is not JSON ({error}); convert the model again") from error
    version = fields.get("format_version") if isinstance(fields, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ModelFileError(f"{source}: its manifest has format_version {version!r}, wanted an integer from 1")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{source}: its manifest has format_version {version}, this neuralpedal reads up to {FORMAT_VERSION}; "
            "upgrade neuralpedal"
        )
    missing = _missing(fields.get("network"))
    if missing:
        # Nothing that decides the sound may be left to defaults: a guessed sample rate would play wrongly in silence.
        raise ModelFileError(f"{source}: its manifest's network lacks {', '.join(missing)}; convert the model again")
    try:
        manifest = Manifest.model_validate(fields)
    except ValidationError as error:
        raise ModelFileError(f"{source}: {explain_validation(error, 'manifest')}; convert the model again") from error
    if manifest.scheme not in SCHEMES:
        raise ModelFileError(f"{source}: scheme {manifest.scheme!r} is not one of {', '.join(SCHEMES)}; upgrade "
                             "neuralpedal or convert the model again")
    if manifest.scheme == "w8a16" and manifest.integer_format is None and isinstance(manifest.network, NetworkSpec):
        raise ModelFileError(f"{source}: scheme w8a16 without integer_format in its manifest; convert the model again")
    _refuse_contradictions(manifest, source)
    return manifest


def _missing(network: Any) -> list[str]:
    """Decisive fields that a manifest's network lacks."""
    if not isinstance(network, dict):
        return []
    if network.get("family") != WAVENET:
        return sorted(_DECISIVE - network.keys())
    arrays = network.get("arrays")
    named = enumerate(arrays) if isinstance(arrays, list) else ()
    return sorted(WaveNetSpec.model_fields.keys() - network.keys()) + [
        f"arrays.{index}.{field}" for index, array in named if isinstance(array, dict)
        for field in sorted(ConvArray.model_fields.keys() - array.keys())]


def _refuse_contradictions(manifest: Manifest, source: str) -> None:
    network = manifest.network
    if isinstance(network, WaveNetSpec):
        _refuse_wavenet(manifest, network, source)
        return
    if manifest.audio_code and (manifest.scheme != "w8a8" or network.kind.has_frame):
        raise ModelFileError(f"{source}: an audio_code in a {network.label} as {manifest.scheme}; only w8a8 files of "
                             "networks that stream have one; convert the model again")
    if network.bends and manifest.scheme not in FLOAT_SCHEMES:
        raise ModelFileError(f"{source}: a {network.label} as {manifest.scheme}; dense layers that bend are float32 or "
                             "w8; convert the model again, or upgrade neuralpedal")
    try:
        checked_initial_state(network, manifest.initial_state)
    except PedalError as error:
        raise ModelFileError(f"{source}: its manifest contradicts itself ({error}); convert the model again") from error


def _refuse_wavenet(manifest: Manifest, network: WaveNetSpec, source: str) -> None:
    if manifest.scheme not in WAVENET_SCHEMES:
        raise ModelFileError(f"{source}: a {network.label} as {manifest.scheme}; WaveNets are one of "
                             f"{', '.join(WAVENET_SCHEMES)}; convert the model again, or upgrade neuralpedal")
    if manifest.audio_code or manifest.initial_state or manifest.integer_format:
        raise ModelFileError(f"{source}: a {network.label} with an audio_code, an initial_state or an integer_format, "
                             "which no WaveNet has; convert the model again")
