"""Boards, cores and what fits: figures of the packaged tables, clear errors, and an estimate that behaves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpedal.contract.errors import SpecError
from neuralpedal.firmware_bridge.board_catalog import Board, Core, boards, cores, find_board, read_rows
from neuralpedal.firmware_bridge.cost_model import Cost, CostModel, RecurrentSize, cost_model
from neuralpedal.firmware_bridge.fit import USABLE_SHARE, MeasuredPedal, fit_all, fit_board
from neuralpedal.firmware_bridge.target import load_target, target_names

GOOD = """
toy:
  title: Toy
  core: cortex-m4
  clock_hz: 48_000_000
  flash_bytes: 20_000
  ram_bytes: 4_000
  source: nowhere
"""
SIZE = RecurrentSize(1, 8)
PEDAL = MeasuredPedal("w8a16", SIZE, 48_000)


def test_every_core_is_counted_by_targets_that_are_emulated() -> None:
    for name, core in cores().items():
        for target in (core.counting_target(True), core.counting_target(False)):
            assert target in target_names() and load_target(target).machine, name


def test_boards_of_the_issue_are_there_with_more_memory_than_is_reserved() -> None:
    assert {"daisy-seed", "teensy-4.1", "stm32f4-discovery", "stm32f4-black-pill", "pico", "pico-2",
            "esp32-s3"} <= set(boards())
    for board in boards().values():
        assert board.reserved_flash_bytes < board.flash_bytes and board.reserved_ram_bytes < board.ram_bytes


@pytest.mark.parametrize(("damage", "wanted"), [
    (("clock_hz: 48_000_000", "clock_hz: fast"), "toy: clock_hz"),
    (("clock_hz: 48_000_000", "clock_hz: -1"), "toy: clock_hz"),
    (("ram_bytes: 4_000", "ram_bytes: 4.5"), "toy: ram_bytes"),
    (("  source: nowhere\n", ""), "toy: source"),
    (("title: Toy", "titel: Toy"), "toy: title"),
    (("toy:", "toy: ["), "no YAML"),
    ((GOOD, "- a list"), "rows by name"),
])
def test_a_damaged_table_is_an_error_that_names_row_and_field(damage: tuple[str, str], wanted: str) -> None:
    assert read_rows(GOOD, "boards.yaml", Board)["toy"].clock_hz == 48_000_000
    with pytest.raises(SpecError, match=wanted) as error:
        read_rows(GOOD.replace(*damage), "boards.yaml", Board)
    assert str(error.value).startswith("boards.yaml: ")


def test_a_core_without_a_reason_is_an_error() -> None:
    with pytest.raises(SpecError, match="why"):
        read_rows("toy: {counts: {integer: a, float: b}, cycles_per_instruction: {integer: 1.0, float: 1.0}}",
                  "cores.yaml", Core)


def test_an_unknown_board_is_an_error_that_lists_them() -> None:
    with pytest.raises(SpecError, match=r"daisy-seed, teensy-4\.1"):
        find_board("daisy")


def test_what_was_counted_decides_on_its_own_core() -> None:
    fitted = cost_model("cortex-m7", "w8a16", SIZE).cost(SIZE)
    counted = replace(PEDAL, target="cortex-m7", cost=Cost(2_000.0, fitted.flash_bytes, fitted.ram_bytes))
    found = fit_board(counted, "daisy-seed")
    assert found.counted and found.fits
    assert found.estimated_cycles_per_sample == pytest.approx(2_000 * cores()["cortex-m7"].cycles(False))
    assert found.estimated_share == pytest.approx(found.estimated_cycles_per_sample * 48_000 / 480e6)
    # On another core the ratio to the fitted costs is kept.
    assert not fit_board(counted, "pico-2").counted
    ratio = fit_board(counted, "pico-2").estimated_share / fit_board(PEDAL, "pico-2").estimated_share
    assert ratio == pytest.approx(2_000 / fitted.instructions_per_sample)


def test_a_pedal_that_is_too_slow_or_too_large_says_so_with_figures() -> None:
    slow = fit_board(replace(PEDAL, size=RecurrentSize(1, 40)), "stm32f4-black-pill")
    assert not slow.fits and "too slow" in slow.reason and "% of a sample period" in slow.reason
    large = fit_board(replace(PEDAL, target="cortex-m7", cost=Cost(100.0, 80_000.0, 100.0)), "daisy-seed")
    assert not large.fits and "80,000 bytes of flash" in large.reason


def test_costs_are_polynomials_of_the_hidden_size() -> None:
    model = CostModel((1.0, 2.0, 3.0), (4.0, 0.0, 0.5), (7.0, 1.0, 0.0))
    assert model.cost(RecurrentSize(1, 10)) == Cost(321.0, 54.0, 17.0)


def test_a_gru_has_costs_of_its_own_which_are_three_quarters_of_an_lstm_s() -> None:
    """So a board whose core nobody counted on is estimated from a GRU's figures too."""
    for target in ("cortex-m7", "cortex-m0plus"):
        lstm, gru = (cost_model(target, "float32", size).cost(size)
                     for size in (RecurrentSize(1, 40), RecurrentSize(1, 40, "gru")))
        assert 0.7 < gru.instructions_per_sample / lstm.instructions_per_sample < 0.8
        assert 0.7 < gru.flash_bytes / lstm.flash_bytes < 0.8


def test_a_board_that_runs_from_ram_needs_ram_for_code_and_tables_too() -> None:
    pedal = replace(PEDAL, target="cortex-m7", cost=Cost(1.0, 1_000_000.0, 200.0))
    assert fit_board(pedal, "teensy-4.1").fits
    found = fit_board(pedal, "pico-2")
    assert not found.fits and "bytes of RAM" in found.reason and found.ram_bytes > found.flash_bytes > 800_000


def test_a_higher_sample_rate_takes_a_larger_share() -> None:
    for slow, fast in zip(fit_all(PEDAL), fit_all(replace(PEDAL, sample_rate_hz=96_000)), strict=True):
        assert fast.estimated_share == pytest.approx(2 * slow.estimated_share)


@given(st.sampled_from(sorted(boards())), st.integers(1, 2), st.integers(1, 64))
def test_the_largest_size_fits_and_the_next_does_not(board: str, num_layers: int, hidden_size: int) -> None:
    pedal = MeasuredPedal("w8a16", RecurrentSize(num_layers, hidden_size), 48_000)
    largest = fit_board(pedal, board).largest_hidden_size
    assert fit_board(replace(pedal, size=RecurrentSize(num_layers, largest + 1)), board).fits is False
    assert largest >= hidden_size or not fit_board(pedal, board).fits
    if largest:
        found = fit_board(replace(pedal, size=RecurrentSize(num_layers, largest)), board)
        assert found.fits and found.estimated_share <= USABLE_SHARE


def test_a_network_without_fitted_costs_is_an_error_that_names_the_command() -> None:
    with pytest.raises(SpecError, match=r"w8a99 with 1 layers on cortex-m7; python .* --family lstm --costs"):
        fit_board(replace(PEDAL, arithmetic="w8a99"), "daisy-seed")
