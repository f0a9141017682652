"""The error budgets of a report as a table."""

from typing import Any

from neuralpedal.cli.console import note, print_table

_COLUMNS = {"weights": "weights", "input_code": "input", "hidden_state": "hidden", "gate_saturation": "gates",
            "cell_format": "cell", "output_code": "output"}


def print_budgets(report: dict[str, Any]) -> None:
    """One line per scheme that has a budget, and its advice; nothing where none has."""
    budgets = {name: row["error_budget"] for name, row in report["schemes"].items() if row.get("error_budget")}
    if not budgets:
        return
    seconds = next(iter(budgets.values()))["seconds"]
    rows = [[name, *(_cost(budget["terms"][term]) for term in _COLUMNS), _cost(budget["sum"]),
             _cost(budget["together"]), _cost(budget["measured"]), _gap(budget["gap"])]
            for name, budget in budgets.items()]
    print_table(f"where the error comes from: ESR float of each part alone, simulated on {seconds:g} s of the take",
                ["scheme", *_COLUMNS.values(), "sum", "together", "measured", "gap"], rows)
    for budget in budgets.values():
        note(budget["advice"])
        if (budget.get("narrow_formats") or {}).get("remark"):
            note(budget["narrow_formats"]["remark"])


def _cost(esr: float) -> str:
    return f"{esr:.1e}" if esr else "–"


def _gap(gap: float | None) -> str:
    return "–" if gap is None else f"{100 * gap:+.0f} %"
