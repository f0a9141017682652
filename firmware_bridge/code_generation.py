"""Which generator writes the C of which scheme, and the two generated files around it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.manifest import FLOAT_SCHEMES, Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.firmware_bridge.c_text import define
from neuralpedal.firmware_bridge.float_code import float_code
from neuralpedal.firmware_bridge.frame_code import frame_code
from neuralpedal.firmware_bridge.generated_code import GeneratedCode, padded
from neuralpedal.firmware_bridge.tflite_code import tflite_code
from neuralpedal.firmware_bridge.unit_rows import KINDS
from neuralpedal.firmware_bridge.vector_code import vector_code
from neuralpedal.firmware_bridge.vector_kernel import VectorKernel
from neuralpedal.firmware_bridge.w8a16_code import w8a16_code
from neuralpedal.firmware_bridge.w8a16_lanes_code import w8a16_lanes_code
from neuralpedal.firmware_bridge.wavenet_code import wavenet_code
from neuralpedal.firmware_bridge.wavenet_w8a16_code import wavenet_w8a16_code

SHARED_RUNTIME_FILES = ("pedal.h", "pedal_audio.h", "pedal_dsp.h")
MODEL_HEADER, MODEL_SOURCE = "pedal_model.h", "pedal_model.c"
IO_TYPES = ("float", "int16")
WAVENET_SCHEMES = (W8A16, *FLOAT_SCHEMES)
"""That have C for WaveNets."""



@dataclass(frozen=True)
class CodeRequest:
    """What to generate.

    Attributes:
        io: float or int16. kernels: of which interpreter a w8a8 file's arithmetic is; None for the scheme's own.
        name: a C identifier. command: how to generate the same again.
        vector: for float networks and w8a16 on machines with vectors; None for the portable kernel, without frames.
    """

    io: str
    kernels: str | None
    name: str
    command: str
    vector: VectorKernel | None = None


_Generator = Callable[[TfliteFile, CodeRequest], GeneratedCode]

_GENERATORS: dict[str, _Generator] = {
    "float32": lambda file, request: _float_code(file, request),
    "w8": lambda file, request: _float_code(file, request),
    "w8a8": lambda file, request: tflite_code(file, request.io == "int16", request.kernels),
    "tflm16x8": lambda file, request: tflite_code(file, request.io == "int16", None),
    "w8a16": lambda file, request: _w8a16_code(file, request),
}
"""By scheme."""


def _float_code(file: TfliteFile, request: CodeRequest) -> GeneratedCode:
    return vector_code(file, request.vector) if request.vector else float_code(file)


def _w8a16_code(file: TfliteFile, request: CodeRequest) -> GeneratedCode:
    int16_audio = request.io == "int16"
    return w8a16_lanes_code(file, int16_audio, request.vector) if request.vector else w8a16_code(file, int16_audio)


def _wavenet_code(file: TfliteFile, request: CodeRequest) -> GeneratedCode:
    scheme = file.manifest().scheme
    if scheme in FLOAT_SCHEMES:
        return wavenet_code(file, request.vector)
    if scheme not in WAVENET_SCHEMES:
        raise ModelFileError(f"{file.path}: a WaveNet as {scheme} has no C; convert it to "
                             f"{' or '.join(WAVENET_SCHEMES)}")
    return wavenet_w8a16_code(file, request.io == "int16")


def generate_code(file: TfliteFile, request: CodeRequest) -> GeneratedCode:
    """The model's constants and tables.

    Raises:
        ModelFileError: a file that is damaged, not ours, or of a network or scheme without a kernel in C.
        SpecError: kernels that the scheme does not have. FirmwareError: no fixed-point map of its audio.
    """
    manifest = file.manifest()
    if isinstance(manifest.network, WaveNetSpec):
        _refuse_kernels(file, request)
        return _wavenet_code(file, request)
    if manifest.recurrent.kind.has_frame and request.vector and manifest.scheme in FLOAT_SCHEMES:
        return frame_code(file, request.vector)
    if manifest.recurrent.kind.has_frame or manifest.recurrent.kind.cell not in KINDS:
        raise ModelFileError(f"{file.path}: holds a {manifest.recurrent.label}; C exists for streaming LSTMs and GRUs "
                             "only: train and convert one (--family lstm)")
    if manifest.scheme not in _GENERATORS:
        raise ModelFileError(f"{file.path}: scheme {manifest.scheme} has no C; convert the model to one of "
                             + ", ".join(_GENERATORS))
    _refuse_kernels(file, request)
    return _GENERATORS[manifest.scheme](file, request)


def _refuse_kernels(file: TfliteFile, request: CodeRequest) -> None:
    scheme = file.manifest().scheme
    if request.kernels and scheme != "w8a8":
        raise SpecError(f"--kernels {request.kernels}: only w8a8 files are played in the arithmetic of one or another "
                        f"interpreter; {file.path} is {scheme}")


def has_portable_kernel(manifest: Manifest) -> bool:
    """Whether its network can be played without vectors: all that stream, for which there is C at all."""
    network = manifest.network
    return isinstance(network, WaveNetSpec) or not network.kind.has_frame


def model_header(file: TfliteFile, code: GeneratedCode, request: CodeRequest) -> str:
    """pedal_model.h."""
    manifest = file.manifest()
    spec = manifest.network
    lines = [
        *_banner(request), "#ifndef PEDAL_MODEL_H", "#define PEDAL_MODEL_H", "",
        define("NAME", f'"{request.name}"'),
        define("SAMPLE_RATE_HZ", spec.sample_rate_hz, "the only rate at which it plays rightly"),
        define(f"ARITHMETIC_{code.arithmetic}", 1),
        define("IO_INT16", int(request.io == "int16"), f"pedal_sample is {request.io}"), "",
        *_size_defines(spec),
        define("SKIP", int(spec.skip)), "",
        define("STATE_BYTES", code.state_bytes, "RAM of one pedal_state"),
        define("TABLE_BYTES", code.constant_bytes, "constants, in flash"),
        define("STACK_BYTES", code.stack_bytes, "more than pedal_process needs on any target"), "",
        *([define("INITIAL_STATE", 1, "pedal_init and pedal_reset copy it")] if code.initial_state else []),
        *code.defines, "", "#endif", "",
    ]
    return "\n".join(lines)


def _size_defines(spec: NetworkSpec | WaveNetSpec) -> Iterator[str]:
    """A WaveNet's sizes are those of its layers, among the defines of its kernel."""
    if isinstance(spec, NetworkSpec):
        yield define("LAYERS", spec.num_layers)
        yield define("HIDDEN", spec.hidden_size)
        yield define("HIDDEN_PADDED", padded(spec.hidden_size))


def model_source(code: GeneratedCode, request: CodeRequest) -> str:
    """pedal_model.c."""
    definitions = filter(None, (*code.tables, code.initial_state))
    return "\n".join([*_banner(request), f'#include "{code.tables_header}"', "", "\n\n".join(definitions), ""])


def _banner(request: CodeRequest) -> list[str]:
    return [f"/* Generated by neuralpedal {metadata.version('neuralpedal')}; do not edit. To make it again:",
            f" *     {request.command}", " */"]
