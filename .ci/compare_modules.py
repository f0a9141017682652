"""Exit with an error unless the installed wheel holds every Python module and data file of the source folders."""

import sys
from importlib import metadata
from pathlib import Path

STAGES = ("contract", "train", "convert", "device", "firmware_bridge", "cli")

root = Path(sys.argv[1])
installed = {str(file).removeprefix("neuralpedal/") for file in metadata.files("neuralpedal") or ()}
wanted = {str(path.relative_to(root)) for stage in STAGES for path in (root / stage).rglob("*")
          if path.suffix in {".py", ".yaml", ".c", ".cpp", ".h", ".ino", ".j2", ".ld"}}
missing = sorted(wanted - installed)
if missing:
    sys.exit(f"the wheel lacks {', '.join(missing)}: declare the package in pyproject.toml")
