"""Compiled code that is kept: where, and for which processor. A home folder may be shared by machines, and what was
compiled for one may crash another."""

import hashlib
import os
import platform
from pathlib import Path


def user_cache_folder() -> Path:
    """``$XDG_CACHE_HOME/neuralpedal``, or under ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neuralpedal"


def processor_identity() -> str:
    """A digest of what this processor can do: a library made for another one may crash here."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = [platform.processor()]
    # Of the first core: which features, and which model, as compilers tune for it.
    wanted = ("flags", "Features", "CPU implementer", "CPU part", "vendor_id", "cpu family", "model\t")
    seen: dict[str, str] = {}
    for line in lines:
        if line.startswith(wanted):
            seen.setdefault(line.partition(":")[0].strip(), line.partition(":")[2].strip())
    return hashlib.sha256(f"{platform.machine()}\n{sorted(seen.items())}".encode()).hexdigest()[:16]
