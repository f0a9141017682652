"""What ``neuralpedal firmware verify`` prints: the comparison, what it costs, and which boards it fits."""

from pathlib import Path
from typing import Any

import click

from neuralpedal.cli.console import figure, note, print_table
from neuralpedal.contract.errors import SpecError
from neuralpedal.firmware_bridge.cost_model import Cost, arithmetic_of, size_of
from neuralpedal.firmware_bridge.fit import USABLE_SHARE, Fit, MeasuredPedal, fit_all, fit_board
from neuralpedal.firmware_bridge.project import read_project
from neuralpedal.firmware_bridge.verification import Verification


def measured_pedal(folder: Path, found: Verification) -> MeasuredPedal:
    """What a verification tells about costs."""
    project = read_project(folder)
    manifest = project.model.manifest()
    cost = None
    if found.instructions_per_sample is not None and found.flash_bytes is not None and found.ram_bytes is not None:
        cost = Cost(found.instructions_per_sample, found.flash_bytes, found.ram_bytes + (found.stack_bytes or 0))
    return MeasuredPedal(arithmetic_of(manifest.scheme, project.kernels), size_of(manifest.network),
                         manifest.sample_rate_hz, found.target, cost)


def fits_of(pedal: MeasuredPedal, board: str | None) -> list[Fit]:
    """On one board, or on all; none for a scheme without fitted costs when no board was asked for.

    Raises:
        SpecError: an unknown board, or no costs for what was asked.
    """
    if board is not None:
        return [fit_board(pedal, board)]
    try:
        return fit_all(pedal)
    except SpecError as error:
        note(f"no table of boards: {error}")
        return []


def print_verification(found: Verification) -> None:
    """For people."""
    rows = [["samples", f"{found.samples} ({figure(found.seconds)} s)"],
            ["blocks", "; ".join(_lengths(lengths) for lengths in found.blocks)],
            ["samples that differ", str(found.differing_samples)],
            ["largest difference, int16 steps", figure(found.max_abs_difference_lsb)],
            ["allowed", figure(found.allowed_lsb)],
            ["state, bytes of RAM", str(found.state_bytes)], ["constants, bytes of flash", str(found.table_bytes)],
            *_measured(found)]
    verdict = "passed" if found.passed else "FAILED"
    print_table(f"{found.project} ({found.arithmetic}, {found.io} samples) on {found.target}: {verdict}",
                ["", "found"], rows)
    for fault in found.faults:
        click.echo(f"fault: {fault}")


def print_fits(fits: list[Fit], sample_rate_hz: int) -> None:
    """The table of boards, or the answer for one."""
    if len(fits) == 1:
        one = fits[0]
        largest = (f"; largest hidden size that would fit: {_largest(one)} (estimated)"
                   if one.largest_hidden_size is not None else "")
        click.echo(f"{one.title}: {'yes' if one.fits else 'no'}, {one.reason}{largest}")
    elif fits:
        rows = [[one.title, "yes" if one.fits else "no", f"{one.estimated_cycles_per_sample:,.0f}",
                 f"{one.estimated_share:.0%}", f"{one.flash_bytes:,} / {one.free_flash_bytes:,}",
                 f"{one.ram_bytes:,} / {one.free_ram_bytes:,}", _largest(one)] for one in fits]
        print_table(f"Boards at {sample_rate_hz} Hz, estimated from instruction counts ({USABLE_SHARE:.0%} of a sample "
                    "period are usable)",
                    ["", "fits", "cycles/sample", "of period", "flash", "RAM", "largest H"], rows)


def _largest(fit: Fit) -> str:
    return "-" if fit.largest_hidden_size is None else str(fit.largest_hidden_size or "none")


def _measured(found: Verification) -> list[list[str]]:
    rows: list[tuple[str, Any]] = [
        ("instructions per sample, blocks of 48", found.instructions_per_sample),
        ("code and constants, bytes of flash", found.flash_bytes), ("stack of a call, bytes", found.stack_bytes)]
    return [[name, f"{value:,.0f}"] for name, value in rows if value is not None]


def _lengths(lengths: tuple[int, ...]) -> str:
    return "changing" if lengths == (0,) else " ".join(map(str, lengths))
