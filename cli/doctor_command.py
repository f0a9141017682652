"""``neuralpedal doctor``."""

import importlib.util
import platform
from importlib import metadata
from typing import Any

import click

from neuralpedal.cli.console import print_json, print_table

_PACKAGES = (
    ("numpy", "base"), ("soundfile", "base"), ("soxr", "base"),
    ("ai-edge-litert", "device"), ("tflite-runtime", "device"), ("pyaudio", "audio"), ("matplotlib", "plot"),
    ("tensorflow", "train"), ("keras", "train"), ("scipy", "train"),
)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Say what this machine can do, and which extra brings what is missing.

    \b
    Example:
      neuralpedal doctor
    """
    checks = examine()
    if as_json:
        print_json(checks)
        return
    rows = [[name, version or "–", "" if version else f"pip install 'neuralpedal[{extra}]'"]
            for name, version, extra in checks["packages"]]
    print_table(f"neuralpedal {checks['neuralpedal']}, Python {checks['python']}, {checks['machine']}",
                ["package", "version", "if missing"], rows)
    click.echo(f"interpreter: {checks['interpreter']}")


def examine() -> dict[str, Any]:
    """Versions found, and the interpreter that would play; TensorFlow is looked for without importing it."""
    return {
        "neuralpedal": metadata.version("neuralpedal"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "packages": [[name, _version(name), extra] for name, extra in _PACKAGES],
        "interpreter": _interpreter(),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _interpreter() -> str:
    from neuralpedal.contract.errors import DeviceError
    from neuralpedal.device.interpreter import find_interpreter

    for package in ("ai_edge_litert", "tflite_runtime"):
        try:
            return find_interpreter(package).name
        except DeviceError:
            continue
    if importlib.util.find_spec("tensorflow"):
        return "tensorflow"
    return "none: pip install 'neuralpedal[device]'"
