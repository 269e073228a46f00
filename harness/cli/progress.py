"""Draws events on stderr: live bars on a terminal, one line per finished stage elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from harness.events import Event


class Display:
    """A listener for events; use as a context manager."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}", style="dim"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        key = (event.stage, event.subject)
        if event.finished:
            if key in self._tasks:
                self._progress.remove_task(self._tasks.pop(key))
            line = f"{event.stage:>7}  {event.subject:<16} {event.detail}"
            self.console.print(line.rstrip(), soft_wrap=True)
            return
        if key not in self._tasks:
            label = f"{event.stage:>7}  {event.subject:<16}"
            self._tasks[key] = self._progress.add_task(label, total=None, detail="")
        self._progress.update(
            self._tasks[key],
            completed=event.done,
            total=event.total or None,
            detail=event.detail,
        )
