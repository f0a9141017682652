"""What the user may do: real-time priority, locked memory, sound cards."""

import grp
import os
import pwd
import resource
from dataclasses import dataclass

from neuralpedal.cli.checkup.check import OK, WARNING, Check
from neuralpedal.device.realtime import ALLOW_LOCKING, ALLOW_PRIORITY, JOIN_AUDIO

ENOUGH_PRIORITY = 60
ENOUGH_LOCKED_BYTES = 512 << 20
"""More than the runner with a model and its libraries ever needs."""


@dataclass(frozen=True)
class Account:
    """A user as the kernel sees this process.

    Attributes:
        priority_limit: of real-time scheduling. locked_bytes_limit: of memory, −1 for any. is_root: may do anything.
    """

    name: str
    groups: frozenset[str]
    priority_limit: int
    locked_bytes_limit: int
    is_root: bool

    @classmethod
    def of_this_process(cls) -> "Account":
        """Whoever runs this."""
        groups = set()
        for number in {*os.getgroups(), os.getegid()}:
            try:
                groups.add(grp.getgrgid(number).gr_name)
            except KeyError:
                continue
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
        priority, locked = (resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_RTPRIO, resource.RLIMIT_MEMLOCK))
        unlimited = resource.RLIM_INFINITY
        return cls(name, frozenset(groups), 99 if priority == unlimited else priority,
                   -1 if locked == unlimited else locked, os.geteuid() == 0)


def account_checks(account: Account) -> list[Check]:
    """Limits and groups."""
    return [_priority(account), _memory(account), _group(account)]


def _priority(account: Account) -> Check:
    if account.is_root or account.priority_limit >= ENOUGH_PRIORITY:
        return Check("realtime_priority", OK, f"up to {99 if account.is_root else account.priority_limit}")
    found = account.priority_limit or "none"
    return Check("realtime_priority", WARNING, f"{account.name} may have {found} (ulimit -r), "
                 f"wanted {ENOUGH_PRIORITY}", ALLOW_PRIORITY)


def _memory(account: Account) -> Check:
    if account.is_root or account.locked_bytes_limit < 0:
        return Check("locked_memory", OK, "unlimited")
    megabytes = account.locked_bytes_limit >> 20
    if account.locked_bytes_limit >= ENOUGH_LOCKED_BYTES:
        return Check("locked_memory", OK, f"{megabytes} MB")
    return Check("locked_memory", WARNING, f"{account.name} may lock {megabytes} MB (ulimit -l): pages may be missing "
                 "when a block comes", ALLOW_LOCKING)


def _group(account: Account) -> Check:
    if account.is_root or "audio" in account.groups:
        return Check("audio_group", OK, f"{account.name} may use sound cards")
    return Check("audio_group", WARNING, f"{account.name} is not in the group audio: cards may be refused", JOIN_AUDIO)
