"""The systemd unit of a pedal: what starts it with the machine, and what it may ask of the kernel."""

import getpass
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuralpedal.contract.errors import SpecError
from neuralpedal.device.controls.control_socket import SERVICE_SOCKET, VARIABLE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")


@dataclass(frozen=True)
class ServiceUnit:
    """One unit.

    Attributes:
        arguments: of ``neuralpedal run``. folder: where these are meant. user: who plays; None: a unit of this user's
            own service manager. name: without ``.service``.
    """

    arguments: Sequence[str]
    folder: Path
    user: str | None
    name: str = "neuralpedal"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SpecError(f"--name {self.name!r}: wanted letters, digits, - and _, 61 at most")

    @property
    def path(self) -> Path:
        """Where systemd looks for it."""
        if self.user is not None:
            return Path("/etc/systemd/system") / f"{self.name}.service"
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return home / "systemd" / "user" / f"{self.name}.service"

    @property
    def socket(self) -> Path:
        """Where it listens to `neuralpedal ctl`, from systemd's runtime folder on."""
        folder = SERVICE_SOCKET.parent.name
        return Path(folder if self.is_usual else f"{folder}-{self.name}") / SERVICE_SOCKET.name

    @property
    def is_usual(self) -> bool:
        """Whether `ctl` finds it by itself, for its name is the usual one."""
        return self.name == SERVICE_SOCKET.parent.name

    @property
    def commands(self) -> list[list[str]]:
        """What starts it, now and with the machine, once the file is there."""
        linger = [] if self.user is not None else [["loginctl", "enable-linger", getpass.getuser()]]
        return [self._control("daemon-reload"), self._control("enable", "--now", f"{self.name}.service"), *linger]

    @property
    def commands_before_removal(self) -> list[list[str]]:
        """What stops it for good."""
        return [self._control("disable", "--now", f"{self.name}.service")]

    @property
    def commands_after_removal(self) -> list[list[str]]:
        """What makes systemd forget it."""
        return [self._control("daemon-reload")]

    def text(self) -> str:
        """The unit file.

        SIGTERM goes to the process that holds the models alone: it hands it on, and waits for the fade-out. Wrong usage
        (exit code 2) is not tried again. A user's manager grants no negative nice value and would not start the unit,
        and its runtime folder is the user's own, where other pedals may listen too: it is not the unit's to remove.
        """
        started = " ".join(map(_quoted, [sys.executable, "-m", "neuralpedal.cli.main", "run", "--headless",
                                         *self.arguments]))
        who = [] if self.user is None else [f"User={self.user}", "SupplementaryGroups=audio", "Nice=-11",
                                            f"RuntimeDirectory={self.socket.parent}", "RuntimeDirectoryMode=0700"]
        wanted = "default.target" if self.user is None else "multi-user.target"
        lines = ["[Unit]", "Description=neuralpedal: a guitar through a model", "After=sound.target",
                 "StartLimitIntervalSec=0", "", "[Service]", *who, f"WorkingDirectory={_escaped(str(self.folder))}",
                 f"Environment={VARIABLE}=%t/{self.socket}", f"ExecStart={started}", "KillMode=mixed",
                 "TimeoutStopSec=10", "Restart=on-failure", "RestartSec=2", "RestartPreventExitStatus=2",
                 "LimitRTPRIO=95", "LimitMEMLOCK=infinity", "", "[Install]", f"WantedBy={wanted}"]
        return "\n".join(lines) + "\n"

    def _control(self, *words: str) -> list[str]:
        return ["systemctl", *(["--user"] if self.user is None else []), *words]


def _escaped(text: str) -> str:
    if any(character in text for character in "\n\r\0"):
        raise SpecError(f"{text!r}: systemd takes no line breaks in names; rename it")
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """As systemd reads a word of ExecStart."""
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return escaped if re.fullmatch(r"[\w@%+=:,./$-]+", escaped, re.ASCII) else f'"{escaped}"'
