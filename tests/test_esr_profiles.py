"""ESR over time and over input level: errors are found where they were put."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.esr_profiles import esr_over_level, esr_over_time
from neuralpedal.contract.metrics import esr
from signals import RATE_HZ, plucks, soft_clip

SQUARE = np.tile([1.0, -1.0], RATE_HZ // 4)  # half a second of rms 1


def steps(*levels_dbfs: float) -> np.ndarray:
    """Half a second at each level."""
    return np.concatenate([10 ** (level / 20) * SQUARE for level in levels_dbfs])


def played(rows: list[dict]) -> dict[float, float]:
    return {row["from_dbfs"]: row["esr"] for row in rows if row["esr"] is not None}


def test_equal_signals_have_an_esr_of_0_everywhere():
    dry = plucks(2.0)
    wet = soft_clip(dry)
    assert {row["esr"] for row in esr_over_time(wet, wet, RATE_HZ)} == {0.0}
    assert set(played(esr_over_level(dry, wet, wet, RATE_HZ)).values()) == {0.0}


def test_an_error_in_one_half_second_shows_in_its_row_alone():
    target = steps(-20, -20, -20, -20)
    predicted = target.copy()
    predicted[RATE_HZ : RATE_HZ + len(SQUARE)] *= 0.9
    rows = esr_over_time(target, predicted, RATE_HZ)
    assert [row["start_seconds"] for row in rows] == [0.0, 0.5, 1.0, 1.5]
    assert [row["esr"] for row in rows] == pytest.approx([0, 0, 0.01, 0], abs=1e-15)
    assert [row["wet_dbfs"] for row in rows] == pytest.approx([-20] * 4)


def test_a_pause_has_no_esr_instead_of_a_huge_one():
    target = steps(-20, -90, -20)
    rows = esr_over_time(target, target + 0.001, RATE_HZ)
    assert [row["esr"] is None for row in rows] == [False, True, False]
    assert rows[1]["wet_dbfs"] == pytest.approx(-90)


def test_digital_silence_has_a_level_that_json_can_hold():
    target = np.concatenate([SQUARE, 0 * SQUARE])
    assert esr_over_time(target, target, RATE_HZ)[1] == {"start_seconds": 0.5, "esr": None, "wet_dbfs": -300.0}


@given(st.integers(1, 4 * RATE_HZ // 2), st.integers(0, 2**31))
def test_rows_weighted_with_their_energies_give_back_the_esr(length, seed):
    rng = np.random.default_rng(seed)
    target = rng.normal(0, 0.1, length)
    predicted = target + rng.normal(0, 0.01, length)
    rows = esr_over_time(target, predicted, RATE_HZ)
    counts = [min(RATE_HZ // 2, length - round(row["start_seconds"] * RATE_HZ)) for row in rows]
    energies = [count * 10 ** (row["wet_dbfs"] / 10) for count, row in zip(counts, rows, strict=True)]
    pooled = sum(row["esr"] * energy for row, energy in zip(rows, energies, strict=True)) / sum(energies)
    assert sum(counts) == length and pooled == pytest.approx(esr(target, predicted), rel=1e-9)


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 96_000])
def test_a_row_lasts_half_a_second_at_any_sample_rate(rate_hz):
    signal = plucks(1.2, rate_hz=rate_hz)
    assert [row["start_seconds"] for row in esr_over_time(signal, signal, rate_hz)] == [0.0, 0.5, 1.0]


def test_an_error_in_loud_playing_shows_in_the_loud_rows_alone():
    dry = steps(-50, -33, -8)
    wet = 0.5 * np.sign(dry) * np.abs(dry) ** 0.5
    predicted = np.where(np.abs(dry) > 0.1, 0.8 * wet, wet)
    assert played(esr_over_level(dry, wet, predicted, RATE_HZ)) == pytest.approx({-54: 0, -36: 0, -12: 0.04}, abs=1e-15)


def test_levels_are_those_of_the_dry_track_and_not_of_the_wet():
    dry = steps(-50, -8)
    wet = steps(-8, -50)
    predicted = np.concatenate([0.9 * wet[: len(SQUARE)], 0.8 * wet[len(SQUARE) :]])
    assert played(esr_over_level(dry, wet, predicted, RATE_HZ)) == pytest.approx({-54: 0.01, -12: 0.04})


def test_a_row_pools_energies_instead_of_averaging_ratios():
    dry = steps(-20, -20)
    wet = steps(-10, -30)
    predicted = np.concatenate([wet[: len(SQUARE)], 0 * SQUARE])
    # All of the quiet half is missing: energies 0.1 and 0.001. A mean of ratios would say 0.5.
    assert played(esr_over_level(dry, wet, predicted, RATE_HZ)) == pytest.approx({-24: 0.001 / 0.101})


def test_rows_say_how_many_seconds_they_are_based_on():
    rows = esr_over_level(steps(-50, -8, -8, -70), steps(-50, -8, -8, -70), steps(-50, -8, -8, -70), RATE_HZ)
    assert [(row["from_dbfs"], row["to_dbfs"]) for row in rows] == [(low, low + 6) for low in range(-60, 0, 6)]
    # Playing below −60 dBFS is a pause.
    assert {row["from_dbfs"]: row["seconds"] for row in rows if row["seconds"]} == pytest.approx({-54: 0.5, -12: 1.0})


def test_a_level_on_an_edge_or_above_full_scale_has_a_row():
    assert list(played(esr_over_level(SQUARE, SQUARE, SQUARE, RATE_HZ))) == [-6]
    assert list(played(esr_over_level(2 * SQUARE, SQUARE, SQUARE, RATE_HZ))) == [-6]
    assert list(played(esr_over_level(1.01 * steps(-60), SQUARE, SQUARE, RATE_HZ))) == [-60]


def test_a_model_that_mutes_soft_playing_is_found_out():
    dry = plucks(3.0)
    wet = soft_clip(dry)
    gated = np.where(np.convolve(np.abs(dry), np.ones(480) / 480, "same") < 10 ** (-30 / 20), 0, wet)
    figures = played(esr_over_level(dry, wet, gated, RATE_HZ))
    assert figures[-36] > 0.9 and figures[-18] == 0
    assert esr(wet, gated) < 0.035  # "not bad": one figure of the whole take hides it


def test_tracks_of_other_lengths_are_refused():
    with pytest.raises(RecordingError, match="wanted two equal lengths"):
        esr_over_time(SQUARE, SQUARE[1:], RATE_HZ)
    with pytest.raises(RecordingError, match="dry has shape"):
        esr_over_level(SQUARE[1:], SQUARE, SQUARE, RATE_HZ)
