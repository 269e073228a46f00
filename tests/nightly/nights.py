"""Cells and verdicts as a night makes them, with rows of our choosing; what runs in a folder."""

from pathlib import Path

from harness.history import store
from harness.history.verdict import since_previous
from harness.instances import Instance
from harness.nightly.cells import OUT_OF_TIME, STATUS_SKIPPED, Cell
from harness.nightly.order import Piece
from harness.nightly.verdict import judge
from tests.history.folders import row, write_run

UNO = Instance("uno-1", "uno", virtual=True)
SICK = Instance("uno-2", "uno", virtual=True)
NOTHING = Path("nowhere")


def cell(instance=UNO, model="fastgrnn", status="ok", message="", folder=NOTHING, **values):
    given = {} if status == STATUS_SKIPPED else row(model, status=status, message=message)
    piece = Piece("digits", 0, 1, ("fastgrnn", "gru"))
    return Cell(instance, piece, model, folder, status, message, given | values)


def hung(model="fastgrnn", message="no reply to STEP", **more):
    return cell(SICK, model, "lab-error", message, attempts=3, uploads=1, **more)


def late(instance=UNO, model="gru", why=OUT_OF_TIME):
    return cell(instance, model, STATUS_SKIPPED, why)


def processes(folder):
    """{pid: arguments} of what names this folder: workers, emulators, uploaders."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if str(folder) in arguments:
            found[int(entry.name)] = arguments
    return found


def history(tmp_path, *nights):
    """A history of runs, one a night: each a list of rows. The last one is called `tonight`."""
    out = tmp_path / "history"
    for number, rows in enumerate(nights):
        folder = write_run(out, number, rows)
        if number == len(nights) - 1:
            name_night(folder, "tonight")
        store.add_folder(out / "history.db", folder)
    return store.read(out / "history.db") if nights else []


def name_night(folder, night):
    import json

    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"night": night}))


def verdict(cells, entries=(), **options):
    since = since_previous(entries, "tonight")
    return judge("tonight", cells, since, commit="c0ffee", seconds=60.0, **options)
