"""Limits on what a conversion may cost, and which scheme is recommended within a budget."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from neuralpedal.cli.convert_command import command
from neuralpedal.contract.errors import ConversionError, SpecError
from neuralpedal.contract.manifest import SCHEMES
from neuralpedal.contract.spec import make_spec
from neuralpedal.convert.degradation import check_degradation, check_named, parse_limits
from neuralpedal.convert.recommendation import DEFAULT_BUDGET, RULES, TARGETS, recommend


def report(**costs: float) -> dict[str, Any]:
    return {"schemes": {scheme: {"esr_float": cost} for scheme, cost in costs.items()}}


ALL = report(float32=1e-13, w8=1e-4, w8a16=2e-4, w8a8=5e-3)


@pytest.mark.parametrize(("target", "budget", "scheme"), [
    ("pi", 1e-3, "w8"), ("pi", 1e-5, "float32"), ("mcu-fpu", 1e-3, "w8"), ("mcu-fpu", 1e-5, "float32"),
    ("mcu-integer", 1e-2, "w8a8"), ("mcu-integer", 1e-3, "w8a16"), ("mcu-integer", 1e-5, None),
])
def test_the_first_scheme_of_the_target_within_the_budget_is_recommended(target: str, budget: float,
                                                                         scheme: str | None) -> None:
    found = recommend(ALL, target, budget)
    assert set(found) == {"target", "budget", "scheme", "reason"}
    assert (found["target"], found["budget"], found["scheme"]) == (target, budget, scheme)


def test_the_reason_says_why_not_the_one_before_and_what_to_do_where_none_is_left() -> None:
    assert "w8a8, which comes first, has 0.005" in recommend(ALL, "mcu-integer", 1e-3)["reason"]
    assert "nearest is w8a16 with ESR 0.0002" in recommend(ALL, "mcu-integer", 1e-5)["reason"]
    assert "--schemes w8a16" in recommend(report(w8a8=1.0), "mcu-integer", 1e-3)["reason"]
    assert "convert with --schemes w8a8,w8a16" in recommend(report(w8=0.0), "mcu-integer", 1e-3)["reason"]


@pytest.mark.parametrize("target", TARGETS)
def test_tflm16x8_is_for_those_who_run_tflite_micro_and_never_comes_before_w8a16(target: str) -> None:
    equal = report(w8a16=1e-4, tflm16x8=1e-4)
    assert recommend(equal, target, 1e-3)["scheme"] == "w8a16"
    alone = recommend(report(tflm16x8=1e-4), target, 1e-3)["scheme"]
    assert alone == (None if target == "pi" else "tflm16x8")


def test_the_command_offers_the_targets_and_the_budget_of_the_rules() -> None:
    options = {option.name: option for option in command.params}
    assert tuple(options["target"].type.choices) == TARGETS
    assert options["budget"].default == DEFAULT_BUDGET
    assert all(set(rules) <= set(SCHEMES) for rules in RULES.values())


def test_a_limit_is_for_all_schemes_or_for_those_named() -> None:
    assert parse_limits("1e-3") == dict.fromkeys(SCHEMES, 1e-3)
    assert parse_limits("w8=1e-4, w8a8=0.01") == {"w8": 1e-4, "w8a8": 0.01}


@pytest.mark.parametrize("text", ["", "much", "nan", "-1", "inf", "w8=", "w9=1", "w8=1,w8=2", "w8=1,3", "=1"])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="--max-degradation"):
        parse_limits(text)


def test_a_limit_on_a_scheme_that_is_not_written_is_refused() -> None:
    check_named(parse_limits("1e-3"), "1e-3", ("w8",))
    with pytest.raises(SpecError, match="w8a8 is not among the schemes"):
        check_named({"w8a8": 1.0}, "w8a8=1", ("w8",))


def test_a_scheme_beyond_its_limit_is_named_with_how_far() -> None:
    check_degradation(ALL, {"w8": 1e-4, "w8a8": 1e-2})
    check_degradation(ALL, {})
    with pytest.raises(ConversionError, match=r"w8a8 has .*, 0\.004 above its limit of 0\.001, 5 times as") as caught:
        check_degradation(ALL, parse_limits("1e-3"))
    assert "w8a16" not in str(caught.value)
    with pytest.raises(ConversionError, match=r"w8 has ESR 0\.0001 .*, 0\.0001 above its limit of 0;"):
        check_degradation(ALL, {"w8": 0.0})


def test_convert_writes_everything_then_exits_1_beyond_a_limit(pair_paths: tuple[Path, Path], tmp_path: Path,
                                                               cli: Run) -> None:
    model = Path(__file__).parent / "golden" / "lstm-2x3.before-frames.keras"
    arguments = ("convert", model, "--out", tmp_path / "out", "--schemes", "w8,w8a8", "--seconds", 0.05, "--no-report",
                 "--rounding", "nearest",
                 "--dry", pair_paths[0], "--wet", pair_paths[1], "--recommend", "mcu-integer", "--budget", 0.5)
    assert cli(*arguments, "--max-degradation", "w8a16=1")[0] == 2
    assert not (tmp_path / "out").exists()
    code, out, err = cli(*arguments, "--json", "--max-degradation", "w8=1,w8a8=1e-9")
    assert code == 1 and "w8a8 has ESR" in err and "w8 has" not in err
    assert [path.name for path in (tmp_path / "out").glob("*.w8*.tflite")] and (tmp_path / "out/report.json").exists()
    assert json.loads(out)["recommendation"]["scheme"] == "w8a8"


def test_a_target_that_plays_nothing_of_a_family_is_said_and_no_scheme_is_named():
    report = {"network": make_spec(family="gru").model_dump(), "schemes": {"w8": {"esr_float": 1e-6}}}
    found = recommend(report, "mcu-integer")
    assert found["scheme"] is None
    assert found["reason"].endswith("and a gru 1×16 has float32 and w8 alone; train an LSTM")
    assert recommend(report, "mcu-fpu")["scheme"] == "w8"
