"""What the main job reaches on the real recordings of a Boss SD-1 (a circuit simulation of it), step by step.

    python benchmarks/sd1.py --minutes 5 --hidden 16 --out /tmp/sd1

Trains on data/sd1's training take, converts, evaluates every model on the test take (never trained on) through the
command line, prints one table, and exits 1 when a target of the main job is missed. Takes the training time and about
a minute more. Data: $NEURALPEDAL_DATA or ../shared/data.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("NEURALPEDAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
FLOAT_TARGET_ESR = 0.035
W8_TARGET_SHARE = 0.02


def neuralpedal(*arguments: object) -> dict[str, Any]:
    """Run one command with --json; its answer. Progress goes to this terminal."""
    command = [sys.executable, "-m", "neuralpedal.cli.main", *map(str, arguments), "--json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    answer: dict[str, Any] = json.loads(output)
    return answer


def measure(data: Path, out: Path, hidden: int, minutes: float, seed: int) -> dict[str, dict[str, Any]]:
    """Train, convert, evaluate; one row of figures per model."""
    test = data / "dry_test.flac", data / "wet_test.flac"
    run = out / f"sd1-{hidden}"
    neuralpedal("train", data / "dry_train.flac", data / "wet_train.flac", "--out", run, "--hidden", hidden,
                "--minutes", minutes, "--seed", seed, "--overwrite")
    report = neuralpedal("convert", run, "--out", out / "pedals", "--dry", test[0], "--wet", test[1])
    rows = {"keras": neuralpedal("evaluate", run, *test)}
    for scheme, row in report["schemes"].items():
        rows[scheme] = {**neuralpedal("evaluate", out / "pedals" / row["file"], *test), **row}
    return rows


def print_rows(rows: dict[str, dict[str, Any]]) -> None:
    """The table."""
    print(f"{'model':8} {'ESR':>9} {'ESR pre-emph.':>13} {'MAE':>8} {'R²':>8} {'ESR float':>10} {'bytes':>7} "
          f"{'µs/block':>9} {'rtf':>7}")
    for name, row in rows.items():
        cost = (f"{row['esr_float']:10.2g} {row['size_bytes']:7d} {row['us_per_block_p50']:9.1f} "
                f"{row['real_time_factor']:7.4f}" if "file" in row else "")
        print(f"{name:8} {row['esr']:9.5f} {row['esr_pre_emphasis']:13.5f} {row['mae']:8.5f} {row['r2']:8.5f} {cost}")


def read_options(description: str | None, minutes: float) -> argparse.Namespace:
    """What a benchmark of one recording is told: minutes, hidden, seed, out."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Entry point."""
    options = read_options(__doc__, minutes=5.0)
    rows = measure(DATA / "sd1", options.out, options.hidden, options.minutes, options.seed)
    print_rows(rows)
    checks = {
        f"float ESR ≤ {FLOAT_TARGET_ESR}": rows["keras"]["esr"] <= FLOAT_TARGET_ESR,
        f"w8 within {W8_TARGET_SHARE:.0%} of float": rows["w8"]["esr"] <= (1 + W8_TARGET_SHARE) * rows["keras"]["esr"],
    }
    for name, reached in checks.items():
        print(f"{'reached' if reached else 'MISSED '}  {name}")
    sys.exit(0 if all(checks.values()) else 1)


if __name__ == "__main__":
    main()
