"""What a verb says while it works, and how far it is. Light to import."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Report: TypeAlias = Callable[[str, float], None]
"""Told what happens now, and the share that is done."""


def say(text: str, aside: bool = False) -> None:
    """Prints a line; once its reader has gone, nothing is said there any more.

    Args:
        aside: On standard error.
    """
    stream = sys.stderr if aside else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:  # what is being made is still wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def progress() -> Iterator[Report]:
    """A bar with the time left on a terminal; plain lines elsewhere. On standard error, so results can be piped."""
    if not sys.stderr.isatty():
        yield lambda stage, done: say(f"{stage} ...", aside=True)
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class TimeLeft(ProgressColumn):
        """What the share done so far took, carried forward; silent until the share says something."""

        def render(self, task: Task) -> Text:
            share, then = task.completed, task.fields["then"]
            if share < 0.2:
                return Text("")
            left = then / share - (task.elapsed or 0.0)
            return Text(f"about {left:.0f} s left" if left >= 1 else "a moment more")

    columns = (TextColumn("{task.description:<24}"), BarColumn(), TimeLeft())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        start = time.perf_counter()
        task = bar.add_task("starting", total=1.0, then=0.0)
        yield lambda stage, done: bar.update(task, description=stage, completed=done, then=time.perf_counter() - start)


def within(report: Report, stage: str, low: float, high: float) -> Callable[[float], None]:
    """Tells of a share of one stage as a share of the whole; silent where there is no bar to move."""
    moving = sys.stderr.isatty()
    return lambda share: report(stage, low + (high - low) * share) if moving else None
