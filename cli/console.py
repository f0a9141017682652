"""What a terminal shows: progress and remarks on stderr, results on stdout, so that both can be piped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from neuralpedal.device.stream import Report

_EIGHTHS = ("", *"▏▎▍▌▋▊▉")

stderr = Console(stderr=True, highlight=False)
stdout = Console(highlight=False)


@contextmanager
def progress_bar(description: str) -> Iterator[tuple["Report", "Progress"]]:
    """A bar with the time left; gives a function that takes the fraction done, and the bar itself."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
               TimeRemainingColumn())
    # A pipe gets no bar: it could only print empty lines there.
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task(description, total=1.0)
        yield (lambda fraction: progress.update(task, completed=fraction)), progress


@contextmanager
def steps(description: str) -> Iterator[Any]:
    """A spinner whose text says which step is under way; gives a function that takes the text."""
    with stderr.status(description) as status:
        yield lambda text: status.update(f"{description}: {text}")


def warn(message: str) -> None:
    """A remark that does not stop the work."""
    stderr.print(f"[yellow]warning:[/yellow] {escape(message)}", soft_wrap=True)


def note(message: str) -> None:
    """What was done, for people."""
    stderr.print(escape(message), soft_wrap=True)


def print_json(value: Any) -> None:
    """A machine's answer: one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def print_table(title: str, columns: list[str], rows: list[list[str]], text_columns: tuple[int, ...] = (0,)) -> None:
    """A table on stdout; ``text_columns`` are text, the others are figures."""
    # A pipe has no width: figures must not be cut off there.
    console = stdout if stdout.is_terminal else Console(highlight=False, width=160)
    table = Table()
    for index, name in enumerate(columns):
        table.add_column(escape(name), justify="left" if index in text_columns else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(f"[bold]{escape(title)}[/bold]", soft_wrap=True)
    console.print(table)


def bar(share: float, width: int) -> str:
    """A horizontal bar, full for 1.0, filled up with spaces to ``width`` characters; resolves eighths of one."""
    eighths = round(8 * width * min(1.0, max(0.0, share)))
    return f"{'█' * (eighths // 8) + _EIGHTHS[eighths % 8]:<{width}}"


def figure(value: float | None) -> str:
    """A number for people: four significant digits, exponent only where it helps; a dash for what was not measured."""
    return "–" if value is None else f"{value:.4g}"
