"""``neuralpedal install-service``."""

import getpass
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import click

from neuralpedal.cli.console import note
from neuralpedal.cli.service_unit import ServiceUnit
from neuralpedal.contract.atomic import write_text
from neuralpedal.contract.errors import DeviceError, OutputError, SpecError


@click.command("install-service", context_settings={"ignore_unknown_options": True})
@click.option("--user", "as_user", is_flag=True, help="A unit of your own service manager: needs no root, but gets "
              "real-time priority only where /etc/security/limits.d grants it.")
@click.option("--name", default="neuralpedal", show_default=True, help="Of the unit.")
@click.option("--dry-run", is_flag=True, help="Print what would be written and run, and do nothing.")
@click.option("--uninstall", is_flag=True, help="Stop the unit and remove it.")
@click.argument("arguments", metavar="RUN-ARGUMENTS...", nargs=-1, type=click.UNPROCESSED)
def command(as_user: bool, name: str, dry_run: bool, uninstall: bool, arguments: tuple[str, ...]) -> None:
    """Start `neuralpedal run RUN-ARGUMENTS` with the machine, as a systemd unit.

    Files are looked for from this folder, as `run` does. A system unit plays as the user who calls sudo.

    \b
    Examples:
      neuralpedal install-service --dry-run --config pedal.yaml
      sudo $(which neuralpedal) install-service --config pedal.yaml
      neuralpedal install-service --user sd1.w8.tflite --device hifiberry
      neuralpedal install-service --user --uninstall
    """
    who = None if as_user else os.environ.get("SUDO_USER") or getpass.getuser()
    unit = ServiceUnit(arguments, Path.cwd(), who, name)
    if uninstall:
        _uninstall(unit, dry_run)
        return
    socket = _check(arguments)
    if dry_run:
        click.echo(f"# {unit.path}\n{unit.text()}\n# then")
        for line in unit.commands:
            click.echo(shlex.join(line))
        return
    _need_rights(unit)
    try:
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(unit.path, unit.text())
    except OSError as error:
        raise OutputError(f"{unit.path}: cannot be written ({error.strerror}); try --user") from error
    for line in unit.commands:
        _run(line)
    scope = "--user " if as_user else ""
    note(f"wrote {unit.path} and started it; `systemctl {scope}status {name}` and `journalctl {scope}-u {name}` say "
         f"how it goes, `{_ctl(unit, socket)}` what it plays")


def _ctl(unit: ServiceUnit, socket: Path | None) -> str:
    """The call that reaches it; ``socket``: that of the arguments, if any."""
    if socket is None and unit.is_usual:
        return "neuralpedal ctl status"
    folder = "$XDG_RUNTIME_DIR" if unit.user is None else "/run"
    where = shlex.quote(str(socket.absolute())) if socket else f"{folder}/{unit.socket}"
    return f"neuralpedal ctl --socket {where} status"


def _uninstall(unit: ServiceUnit, dry_run: bool) -> None:
    if dry_run:
        for line in (*unit.commands_before_removal, ["rm", str(unit.path)], *unit.commands_after_removal):
            click.echo(shlex.join(line))
        return
    if not unit.path.exists():
        raise SpecError(f"{unit.path}: there is no such unit; give the --name and --user that it was installed with")
    _need_rights(unit)
    for line in unit.commands_before_removal:
        _run(line)
    try:
        unit.path.unlink()
    except OSError as error:
        raise OutputError(f"{unit.path}: cannot be removed ({error.strerror})") from error
    for line in unit.commands_after_removal:
        _run(line)
    note(f"removed {unit.path}")


def _check(arguments: tuple[str, ...]) -> Path | None:
    """What `run` would refuse is refused now, and not when the machine starts; the ``--socket`` among them, if any."""
    from neuralpedal.cli.run_command import command as run

    found = run.make_context("run", list(arguments)).params
    files = [*found["models"], *([found["config"]] if found["config"] else [])]
    if not files:
        raise SpecError("no MODEL and no --config: nothing to play when the machine starts")
    for file in files:
        if not file.is_file():
            raise SpecError(f"{file}: no such file here ({Path.cwd()}); give the path from this folder")
    socket: Path | None = found["socket"]
    return socket


def _need_rights(unit: ServiceUnit) -> None:
    if not shutil.which("systemctl"):
        raise DeviceError("no systemctl: this machine does not start by systemd; --dry-run prints the unit for others")
    if unit.user is not None and os.geteuid() != 0:
        raise DeviceError(f"{unit.path} is root's: call it with sudo, or with --user")


def _run(line: list[str]) -> None:
    try:
        subprocess.run(line, check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = " ".join((getattr(error, "stderr", None) or str(error)).split())
        raise DeviceError(f"`{shlex.join(line)}` failed ({said}); the unit is written, call it by hand") from error
