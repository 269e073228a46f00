"""What long work says while it runs. Libraries emit events; only the command line draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Progress of one stage.

    stage    'train', 'build', 'flash', 'stream', 'report', ...
    subject  what it works on, usually a model name
    done, total  units of work (total 0: unknown)
    detail   a few words for the reader
    finished True in the stage's last event
    """

    stage: str
    subject: str
    done: int = 0
    total: int = 0
    detail: str = ""
    finished: bool = False


Listener = Callable[[Event], None]


def training_progress(
    listen: Listener, model: str
) -> Callable[[str, int, int, float, float], None]:
    """A progress callback for `pipeline.train_model` that speaks in events."""

    def progress(stage: str, done: int, total: int, loss: float, accuracy: float) -> None:
        detail = f"{stage}  loss {loss:.3f}  accuracy {100 * accuracy:.1f} %"
        listen(Event("train", model, done, total, detail))

    return progress


def trained(model: str, seconds: float, cached: bool) -> Event:
    """The last event of a training."""
    return Event("train", model, 1, 1, "cached" if cached else f"{seconds:.0f} s", finished=True)


def ignore(event: Event) -> None:
    """The listener of who does not care."""
