"""What is installed: something that computes a model, and something that talks to a sound card."""

from neuralpedal.cli.checkup.check import ERROR, OK, WARNING, Check
from neuralpedal.contract.errors import AudioDeviceError, DeviceError, FirmwareError


def software_checks() -> list[Check]:
    """Interpreter, compiler, PyAudio, and whether PortAudio knows a card to play on."""
    interpreter, compiler = find_interpreter_name(), find_compiler()
    return [_interpreter(interpreter, compiler), _compiler(compiler, interpreter), *_audio()]


def find_interpreter_name() -> str | None:
    """The TFLite interpreter that would play; TensorFlow is not imported."""
    from neuralpedal.device.interpreter import find_interpreter

    for package in ("ai_edge_litert", "tflite_runtime"):
        try:
            return find_interpreter(package).name
        except DeviceError:
            continue
    return None


def find_compiler() -> str | None:
    """The C compiler that would compile a pedal for this machine."""
    from neuralpedal.firmware_bridge.compiler import compiler_command
    from neuralpedal.firmware_bridge.target import load_target

    try:
        return compiler_command(load_target("host"))[0]
    except FirmwareError:
        return None


def _interpreter(interpreter: str | None, compiler: str | None) -> Check:
    if interpreter:
        return Check("interpreter", OK, interpreter)
    fix = "pip install 'neuralpedal[device]'"
    if compiler:
        return Check("interpreter", WARNING, "none: only models that can be compiled play", fix)
    return Check("interpreter", ERROR, "none, and no C compiler: no model plays", fix)


def _compiler(compiler: str | None, interpreter: str | None) -> Check:
    if compiler:
        return Check("compiler", OK, compiler)
    why = "models play in the interpreter, several times slower" if interpreter else "no model plays"
    return Check("compiler", WARNING if interpreter else ERROR, f"none: {why}", "sudo apt install gcc libc6-dev")


def _audio() -> list[Check]:
    from neuralpedal.device.audio_device import AudioSystem

    try:
        with AudioSystem() as audio:
            cards = [device for device in audio.devices() if device.is_duplex]
    except AudioDeviceError as error:
        what, _, fix = str(error).partition("; ")
        return [Check("portaudio", ERROR, what, fix)]
    started = Check("portaudio", OK, "PyAudio and PortAudio work")
    if cards:
        return [started, Check("duplex_card", OK, "; ".join(f"{card.name} ({card.host_api})" for card in cards[:4]))]
    return [started, Check("duplex_card", ERROR, "PortAudio knows no card that records and plays",
                           "plug one in (arecord -l shows what the kernel sees), or start a JACK server")]
