"""Kill a run (or a night) at random moments, resume it, and compare its tables.

    python benchmarks/kills.py --kills 100 [--command night] [--seed 1] [--json]

The whole process group gets SIGKILL at a moment drawn over the length of an undisturbed run; what
goes on is killed again every other time. At the end the tables must equal the undisturbed ones but
for the columns of time, and nothing may be left: no process, no lock, no port, no temporary file.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402

from harness.results import TIME_COLUMNS, read_json, read_summary, read_windows  # noqa: E402

HARNESS = (sys.executable, "-m", "harness.cli")
DEADLINE_S = 900.0  # of one undisturbed part
MOST_WRONG = 5  # trials, then it is not worth going on
GONE_S = 15.0  # how long what belonged to a killed run may take to end
MARK = "HARNESS_KILLS_MARK"  # in the environment of all that a trial starts
NOT_COMPARED = (*TIME_COLUMNS, "message", "repeats", "latency_ns")
PLAN = """\
boards:
  uno-1: {kind: uno, virtual: true}
  mkr-1: {kind: mkr1000, virtual: true}
models: [fastgrnn, gru]
datasets: [digits]
preset: smoke
seeds: [0]
repeats: 1
windows: 20
"""

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Job:
    """What is killed: the words after `harness` that begin it in a folder, and go on there."""

    begin: Callable[[Path], list[str]]
    resume: Callable[[Path], list[str]]


def results_folders(out: Path) -> list[Path]:
    """Folders of runs below `out`, by name; links left out."""
    found = (path.parent for path in out.rglob("run.json"))
    return sorted(p for p in found if not any(q.is_symlink() for q in (p, *p.parents)))


def run_job(board: str = "mkr1000", models: str = "fastgrnn,gru", windows: int = 30) -> Job:
    """`harness run` on a virtual board."""

    def begin(out: Path) -> list[str]:
        words = ["run", "--board", board, "--virtual", "--preset", "smoke", "--models", models]
        return [*words, "--windows", str(windows), "--out", str(out)]

    def resume(out: Path) -> list[str]:
        begun = results_folders(out)  # none where the kill came before the folder was made
        return ["run", "--resume", str(begun[0])] if begun else begin(out)

    return Job(begin, resume)


def night_job(plan: Path) -> Job:
    """`harness nightly` with a plan of two virtual boards."""
    plan.write_text(PLAN)

    def begin(out: Path) -> list[str]:
        return ["nightly", str(plan), "--out", str(out)]

    def resume(out: Path) -> list[str]:
        begun = sorted(path.parent for path in out.glob("*/night.json"))
        return ["nightly", "--resume", str(begun[0])] if begun else begin(out)

    return Job(begin, resume)


# -- one trial ------------------------------------------------------------------------------------


@dataclass
class Trial:
    """What became of one run that was killed. `wrong` is '' when it ended as an undisturbed one."""

    killed_at_s: list[float] = field(default_factory=list)
    exit_code: int | None = None
    seconds: float = 0.0
    wrong: str = ""


class Process:
    """harness in a process group, with locks and temporary files in folders of its own."""

    def __init__(self, words: list[str], home: Path, mark: str) -> None:
        for name in ("locks", "tmp"):
            (home / name).mkdir(parents=True, exist_ok=True)
        environment = os.environ | {
            MARK: mark,
            "HARNESS_LOCK_DIR": str(home / "locks"),
            "TMPDIR": str(home / "tmp"),
        }
        self._words = (home / "said.txt").open("ab")
        self._process = subprocess.Popen(
            [*HARNESS, *words],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            start_new_session=True,
        )

    def ended_within(self, seconds: float) -> bool:
        """Whether it ended by itself; it runs on when not."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    def kill(self) -> int:
        """SIGKILL for the whole group; the exit status."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._words.close()
        return self._process.wait()


def undisturbed(job: Job, home: Path) -> tuple[Tables, float]:
    """The tables of a run that nobody kills, and its seconds. Raises RuntimeError when it fails."""
    started = time.monotonic()
    process = Process(job.begin(home / "out"), home, secrets.token_hex(8))
    ended = process.ended_within(DEADLINE_S)
    status = process.kill()
    if not ended or status != 0:
        raise RuntimeError(f"the undisturbed run ended with {status}:\n{_last_words(home)}")
    return tables(home / "out"), time.monotonic() - started


def trial(job: Job, home: Path, expected: Tables, length_s: float, chance: random.Random) -> Trial:
    """Begin, kill, go on (and kill again, every other time) to the end; then judge what is left."""
    done, mark, began = Trial(), secrets.token_hex(8), time.monotonic()
    words = job.begin(home / "out")
    while True:
        patience = chance.uniform(0, length_s) if _kill_again(done, chance) else DEADLINE_S
        process = Process(words, home, mark)
        if process.ended_within(patience):
            done.exit_code = process.kill()
            break
        process.kill()
        if patience == DEADLINE_S:
            done.wrong = f"not over after {DEADLINE_S:.0f} s"
            break
        done.killed_at_s.append(round(patience, 2))
        words = job.resume(home / "out")
    done.seconds = round(time.monotonic() - began, 1)
    done.wrong = done.wrong or judge(home, mark, done.exit_code, expected)
    return done


def _kill_again(done: Trial, chance: random.Random) -> bool:
    return not done.killed_at_s or chance.random() < 0.5


def judge(home: Path, mark: str, status: int | None, expected: Tables) -> str:
    """What is wrong with how it ended; '' when nothing is."""
    if status != 0:
        return f"exit code {status}: {_last_words(home)}"
    if problem := difference(tables(home / "out"), expected):
        return problem
    until = time.monotonic() + GONE_S
    while alive(mark) and time.monotonic() < until:
        time.sleep(0.1)
    return "; ".join(left_behind(home, mark))


def left_behind(home: Path, mark: str) -> Iterator[str]:
    """Processes, locks, ports and temporary files that should be gone."""
    for words in alive(mark):
        yield f"still runs: {words[:200]}"
    for path in (home / "locks").iterdir():
        if _is_locked(path):
            yield f"still locked: {path.name}"
    for path in [*(home / "out").rglob("*"), *(home / "tmp").rglob("*")]:
        is_port = path.is_symlink() and str(path.readlink()).startswith("/dev/")
        is_partial = path.name.endswith(".tmp") or path.name.startswith("work-")
        if is_port or is_partial or (home / "tmp") in path.parents:
            yield f"left behind: {path.relative_to(home)}"


def alive(mark: str) -> list[str]:
    """Command lines of the processes that a trial started, zombies left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                found += [words.decode(errors="replace")] if words else []
    return found


def _is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _last_words(home: Path) -> str:
    return (home / "said.txt").read_text(errors="replace")[-600:].strip()


# -- tables ---------------------------------------------------------------------------------------


def tables(out: Path) -> Tables:
    """Every table below `out`, under a name that has no time and no chance in it."""
    found = {}
    for folder in results_folders(out):
        run = read_json(folder / "run.json")
        if run.get("finished") is None:
            continue
        name = "/".join(_timeless(part) for part in folder.relative_to(out).parts)
        found[f"{name}/summary"] = _comparable(read_summary(folder))
        found[f"{name}/windows"] = _comparable(read_windows(folder))
    return found


def _timeless(name: str) -> str:
    return re.sub(r"\d{8}T\d{6}Z-|-[0-9a-f]{4}(?=-|$)", "", name)


def _comparable(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=[c for c in NOT_COMPARED if c in frame])


def difference(found: Tables, expected: Tables) -> str:
    """What the tables differ in, in words; '' when they are equal."""
    if set(found) != set(expected):
        return f"tables {sorted(found)} instead of {sorted(expected)}"
    for name, wanted in expected.items():
        try:
            pd.testing.assert_frame_equal(found[name], wanted)
        except AssertionError as error:
            return f"{name}: {' '.join(str(error).split())[:300]}"
    return ""


# -- the command ----------------------------------------------------------------------------------


def run_trials(job: Job, kills: int, seed: int, home: Path) -> Iterator[Trial]:
    """Trials until so many kills were made, or MOST_WRONG went wrong; keeps what went wrong."""
    expected, length_s = undisturbed(job, home / "undisturbed")
    chance, made, wrong, number = random.Random(seed), 0, 0, 0
    while made < kills and wrong < MOST_WRONG:
        number += 1
        done = trial(job, home / f"t{number}", expected, length_s, chance)
        made += len(done.killed_at_s)
        wrong += bool(done.wrong)
        if not done.wrong:
            shutil.rmtree(home / f"t{number}")
        yield done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--command", choices=("run", "night"), default="run")
    parser.add_argument("--board", default="mkr1000", help="of `run`")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="kills-"))
    job = run_job(options.board) if options.command == "run" else night_job(home / "plan.yaml")
    trials = []
    for done in run_trials(job, options.kills, options.seed, home):
        trials.append(done)
        moments = " ".join(f"{at:.1f}" for at in done.killed_at_s)
        verdict = f"WRONG: {done.wrong}" if done.wrong else "equal"
        print(f"killed at {moments or 'no time'} s: {verdict}", file=sys.stderr)
    wrong = sum(bool(done.wrong) for done in trials)
    kills = sum(len(done.killed_at_s) for done in trials)
    if not wrong:
        shutil.rmtree(home)
    if options.json:
        print(json.dumps({"kills": kills, "wrong": wrong, "trials": [asdict(t) for t in trials]}))
    else:
        print(f"{kills} kills in {len(trials)} runs, {len(trials) - wrong} of them ended equal")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
