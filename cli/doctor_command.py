"""``neuralpedal doctor``."""

import platform
from importlib import metadata
from typing import Any

import click

from neuralpedal.cli.checkup.account import Account, account_checks
from neuralpedal.cli.checkup.check import ERROR, OK, Check
from neuralpedal.cli.checkup.machine import machine_checks
from neuralpedal.cli.checkup.software import software_checks
from neuralpedal.cli.console import note, print_json, print_table, stdout

_PACKAGES = (
    ("numpy", "base"), ("soundfile", "base"), ("soxr", "base"),
    ("ai-edge-litert", "device"), ("tflite-runtime", "device"), ("pyaudio", "audio"), ("scipy", "record"),
    ("matplotlib", "plot"), ("tensorflow", "train"), ("keras", "train"),
)
_COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> int:
    """Say what keeps this machine from playing, or from playing without gaps, and the command that mends it.

    Exit code 1 when something is wrong that prevents `run` from playing; warnings cost xruns, notes could be better.

    \b
    Examples:
      neuralpedal doctor
      neuralpedal doctor --json
    """
    checks = [*software_checks(), *account_checks(Account.of_this_process()), *machine_checks()]
    content = describe(checks)
    print_json(content) if as_json else _print(content, checks)
    return 0 if content["plays"] else 1


def describe(checks: list[Check]) -> dict[str, Any]:
    """For ``--json``: checks, versions, and whether anything prevents playing."""
    return {
        "neuralpedal": metadata.version("neuralpedal"), "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "plays": all(check.state != ERROR for check in checks), "checks": [check.as_dict() for check in checks],
        "packages": [[name, _version(name), extra] for name, extra in _PACKAGES],
    }


def _print(content: dict[str, Any], checks: list[Check]) -> None:
    from rich.markup import escape

    rows = [[name, version or "–", "" if version else f"pip install 'neuralpedal[{extra}]'"]
            for name, version, extra in content["packages"]]
    print_table(f"neuralpedal {content['neuralpedal']}, Python {content['python']}, {content['machine']}",
                ["package", "version", "if missing"], rows, (0, 2))
    for check in checks:
        colour = _COLOURS[check.state]
        stdout.print(f"[{colour}]{check.state:7}[/{colour}] {check.name}: {escape(check.found)}", soft_wrap=True)
        if check.fix:
            stdout.print(f"        → {escape(check.fix)}", soft_wrap=True)
    if all(check.state == OK for check in checks):
        note("nothing to mend")
    elif not content["plays"]:
        note("`neuralpedal run` cannot play before the errors are mended")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
