"""The native kernels take no more instructions than is on record (benchmarks/instructions.json)."""

import json
import os
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def instructions() -> ModuleType:
    import instructions

    return instructions


# All kernels at all sizes: python benchmarks/instructions.py.
@pytest.mark.parametrize(("name", "size"), [
    ("haswell w8, float weights", "1x16"), ("haswell w8, int16 weights", "1x40"), ("haswell w8a16", "1x16"),
    ("cortex-a72 w8, float weights", "1x16"), ("haswell wavenet w8, float weights", "a2-lite"),
    ("cortex-m7 wavenet float32", "a2-lite")])
def test_a_kernel_takes_at_most_five_percent_more_instructions_than_is_on_record(
    instructions: ModuleType, name: str, size: str
) -> None:
    kernel = next(kernel for kernel in instructions.KERNELS if kernel.name == name)
    reason = instructions.obstacle(kernel.machine)
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    record = instructions.read_record()
    # Another compiler makes other instructions of the same C, in CI too.
    reason = reason or instructions.other_compiler(record, kernel.machine)
    if reason:
        pytest.skip(reason)
    assert instructions.complaint(record, name, size, instructions.count(kernel, size)) is None


def test_every_kernel_is_on_record_at_every_size(instructions: ModuleType) -> None:
    record = json.loads((BENCHMARKS / "instructions.json").read_text())
    assert {name: tuple(counts) for name, counts in record["instructions_per_sample"].items()} == {
        kernel.name: kernel.sizes for kernel in instructions.KERNELS}
    assert set(record["compilers"]) == {kernel.machine.name for kernel in instructions.KERNELS}


def test_a_kernel_that_grew_and_one_that_is_not_on_record_are_named(instructions: ModuleType) -> None:
    record = {"compilers": {"haswell": "gcc 1"}, "instructions_per_sample": {"k": {"1x16": 1000.0}}}
    assert instructions.complaint(record, "k", "1x16", 1050.0) is None
    told = instructions.complaint(record, "k", "1x16", 1051.0)
    assert "1051.0 instructions per sample, 1000.0 on record (+5.1%" in told
    assert "not on record" in instructions.complaint(record, "k", "1x8", 1.0)
    machine = instructions.KERNELS[0].machine
    if not instructions.obstacle(machine):
        assert "recorded with gcc 1, here is" in instructions.other_compiler(record, machine)
