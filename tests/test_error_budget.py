"""Error budgets: what each part costs, and what the report and the terminal say of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_pedals import Wanted, write_pedal
from frame_pedals import frame_weights
from neuralpedal.cli.budget_table import print_budgets
from neuralpedal.cli.file_player import FilePlayer
from neuralpedal.contract.arithmetic import Arithmetic, Grid, LayerArithmetic
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.budget_advice import advice
from neuralpedal.convert.conversion import convert
from neuralpedal.convert.error_budget import FLOAT_NOISE_ESR, TERMS, ErrorBudgets, nothing_of, only
from neuralpedal.convert.schemes import PreparedScheme, schemes_for
from neuralpedal.convert.source import ConversionSource, Take
from signals import plucks

KEYS = {"terms", "sum", "together", "measured", "gap", "advice", "seconds", "narrow_formats"}


def source_of(weights: NetworkWeights) -> ConversionSource:
    def float_model(dry: np.ndarray) -> np.ndarray:
        return np.asarray(open_reference(weights).process(dry), np.float32)

    dry, warm_up = plucks(0.25, seed=2), 2400
    take = Take(dry, 1.05 * float_model(dry)[warm_up:], warm_up, "plucks")
    return ConversionSource("blog", weights, float_model, plucks(0.4), take, {})


@pytest.fixture(scope="module")
def source() -> ConversionSource:
    return source_of(random_weights(NetworkSpec(hidden_size=6), seed=3))


def terms_of(source: ConversionSource, arithmetic: Arithmetic) -> dict[str, float]:
    wet = source.take.measured(source.float_model(source.take.dry))
    prepared = PreparedScheme("w8a8", lambda manifest: b"", source.weights, arithmetic)
    budget = ErrorBudgets(source, wet).budget(prepared, 0.9 * wet)
    assert budget is not None
    assert budget["measured"] == pytest.approx(0.01, rel=1e-4)
    return budget["terms"]


def test_a_term_whose_grid_is_absent_costs_nothing(source: ConversionSource) -> None:
    assert terms_of(source, nothing_of(source.weights)) == dict.fromkeys(TERMS, 0.0)


@pytest.mark.parametrize(("term", "arithmetic"), [
    ("input_code", Arithmetic("free", (LayerArithmetic(),), input=Grid(0.01, -1.0, 1.0))),
    ("input_code", Arithmetic("free", (LayerArithmetic(),), dry=Grid(0.01, -1.0, 1.0))),
    ("hidden_state", Arithmetic("free", (LayerArithmetic(hidden=Grid(0.01, -1.0, 1.0)),))),
    ("gate_saturation", Arithmetic("free", (LayerArithmetic(gates=Grid(2.0**-12, -0.5, 0.5)),))),
    ("cell_format", Arithmetic("free", (LayerArithmetic(cell=Grid(0.01, -1.0, 1.0)),))),
    ("output_code", Arithmetic("free", (LayerArithmetic(),), head=Grid(0.01, -1.0, 1.0))),
    ("output_code", Arithmetic("free", (LayerArithmetic(),), output=Grid(0.01, -1.0, 1.0))),
])
def test_a_grid_costs_in_its_own_term_alone(term: str, arithmetic: Arithmetic, source: ConversionSource) -> None:
    terms = terms_of(source, arithmetic)
    assert terms.pop(term) > 1e-9
    assert set(terms.values()) == {0.0}
    assert only(arithmetic, term) == arithmetic


def test_a_silent_take_has_no_budget(source: ConversionSource) -> None:
    silent = np.zeros(len(source.take.wet), np.float32)
    prepared = PreparedScheme("w8", lambda manifest: b"", source.weights, nothing_of(source.weights))
    assert ErrorBudgets(source, silent).budget(prepared, silent) is None


@pytest.mark.parametrize("weights", [random_weights(NetworkSpec(hidden_size=6), seed=3),
                                     frame_weights(1, 4, 8, True)], ids=lambda weights: weights.spec.family)
def test_the_report_has_a_budget_per_scheme_whose_simulation_is_near_the_file(
        weights: NetworkWeights, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    convert(source_of(weights), schemes_for(weights.spec), tmp_path, FilePlayer(64, 0.05))
    report = json.loads((tmp_path / "report.json").read_text())
    assert "error_budget" not in report["schemes"]["float32"]
    for scheme in set(report["schemes"]) - {"float32"}:
        budget = report["schemes"][scheme]["error_budget"]
        assert set(budget) == KEYS and tuple(budget["terms"]) == TERMS
        assert budget["sum"] == pytest.approx(sum(budget["terms"].values()))
        # All of this short take is in the excerpt, a little of it twice.
        assert budget["measured"] == pytest.approx(report["schemes"][scheme]["esr_float"], rel=0.05)
        assert abs(budget["gap"]) < 0.15
    assert sum(map(bool, report["schemes"]["w8"]["error_budget"]["terms"].values())) == 1
    capsys.readouterr()
    print_budgets(report)
    shown = capsys.readouterr().out
    assert f"simulated on {budget['seconds']:g} s" in shown
    assert all(scheme in shown for scheme in report["schemes"] if scheme != "float32")


@pytest.mark.parametrize(("scheme", "term", "has_frame", "named"), [
    ("w8a8", "input_code", False, "--schemes w8a16"), ("w8a8", "cell_format", True, "--schemes w8 "),
    ("w8a8", "weights", True, "--schemes w8 has a scale per output channel"),
    ("w8", "weights", False, "int8_weights_from"), ("w8a16", "weights", False, "int8_weights_from"),
    ("w8a16", "hidden_state", False, "--schemes w8 has float"),
])
def test_advice_follows_the_largest_term(scheme: str, term: str, has_frame: bool, named: str) -> None:
    terms = {**dict.fromkeys(TERMS, 1e-4), term: 2e-4}
    found = advice(scheme, terms, 2e-3, has_frame, 2.4e-3)
    assert named in found and ("--finetune" in found) == (not has_frame)
    assert "nothing need be done" in advice(scheme, terms, 1e-6, has_frame, 1e-6)
    assert "do not explain" in advice(scheme, terms, 1e-3, has_frame, 1e-4)


def test_the_weights_term_is_that_of_the_held_weights(source: ConversionSource) -> None:
    moved = replace(source.weights, head_kernel=source.weights.head_kernel * np.float32(1.1))
    wet = source.take.measured(source.float_model(source.take.dry))
    prepared = PreparedScheme("w8", lambda manifest: b"", moved, nothing_of(source.weights))
    budget = ErrorBudgets(source, wet).budget(prepared, 0.9 * wet)
    assert budget is not None and budget["terms"]["weights"] == budget["together"] > 0


def test_where_only_float_noise_is_measured_there_is_no_gap(tmp_path: Path) -> None:
    """Weights that lie on their grid already: w8 plays the same numbers, and float32 sums hardly differ."""
    pedal = write_pedal(tmp_path / "on-grid.tflite", Wanted("w8", 6, seed=3))
    convert(source_of(read_weights(pedal)), ["w8"], tmp_path / "out", FilePlayer(64, 0.05))
    budget = json.loads((tmp_path / "out" / "report.json").read_text())["schemes"]["w8"]["error_budget"]
    assert 0.0 < budget["measured"] < FLOAT_NOISE_ESR and budget["gap"] is None
    assert budget["terms"]["weights"] == budget["together"] == 0.0
