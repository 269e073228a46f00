"""Plans: what is read is what is written, and what is wrong is said with its place."""

import json
import re
from pathlib import Path

import pytest
import yaml

from harness.errors import UsageError
from harness.nightly.plan import Plan, parse, read_plan

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "boards": {"uno-1": {"kind": "uno", "virtual": True}},
    "models": ["fastgrnn", "gru"],
    "datasets": ["digits"],
}


def test_the_example_is_a_plan():
    plan = read_plan(ROOT / "examples" / "nightly.yaml")
    assert [b.name for b in plan.boards] == ["uno-1", "uno-2", "mkr1000-1", "mkr1000-2"]
    assert plan.windows is None
    assert plan.cells == 4 * 2 * 2


def test_a_plan_survives_json():
    plan = parse(GOOD | {"overrides": {"hidden": 8}, "windows": 5, "seeds": [3, 4]}, "plan")
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_whoever_starts_a_night_waits_longer_than_it_takes():
    """Or it would be killed before its report is written."""
    ceiling = Plan.__dataclass_fields__["ceiling_minutes"].default
    workflow = yaml.safe_load((ROOT / "examples" / "ci" / "nightly.yml").read_text())
    job = workflow["jobs"]["night"]
    (step,) = [step["timeout-minutes"] for step in job["steps"] if "timeout-minutes" in step]
    assert ceiling < step < job["timeout-minutes"]
    assert workflow["concurrency"]["cancel-in-progress"] is False
    service = (ROOT / "examples" / "systemd" / "harness-nightly.service").read_text()
    (hours,) = re.findall(r"^TimeoutStartSec=(\d+)h$", service, re.MULTILINE)
    assert ceiling < 60 * int(hours)


def test_boards_of_the_lab_by_name(tmp_path, monkeypatch):
    lab = tmp_path / "boards.yaml"
    lab.write_text('schema: 1\ninstances:\n  uno-7: {kind: uno, serial_number: "7"}\n')
    monkeypatch.setenv("HARNESS_BOARDS", str(lab))
    (board,) = parse(GOOD | {"boards": ["uno-7"]}, "plan").boards
    assert board.board_id == "serial-7"
    with pytest.raises(UsageError, match="unknown board of the lab 'uno-8'"):
        parse(GOOD | {"boards": ["uno-8"]}, "plan")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bords": {}}, "unknown key 'bords'"),
        ({"models": "fastgrnn"}, "models: must be a list"),
        ({"models": ["fastgrn"]}, "unknown model 'fastgrn'"),
        ({"models": ["gru", "gru"]}, "given twice"),
        ({"models": []}, "must be a list"),
        ({"datasets": ["digit"]}, "unknown data set of windows 'digit'"),
        ({"datasets": ["ptb"]}, "unknown data set of windows 'ptb'"),
        ({"seeds": [-1]}, "seeds is -1"),
        ({"seeds": [True]}, "True is not int"),
        ({"preset": "smok"}, "unknown preset 'smok'"),
        ({"optimise": "fast"}, "unknown optimise 'fast'"),
        ({"overrides": {"hiden": 8}}, "hiden"),
        ({"repeats": 0}, "repeats is 0"),
        ({"windows": 0}, "windows is 0"),
        ({"attempts": "3"}, "attempts is '3'"),
        ({"give_up_after": 0}, "give_up_after is 0"),
        ({"ceiling_minutes": 0}, "ceiling_minutes is 0"),
        ({"ceiling_minutes": float("nan")}, "ceiling_minutes is nan"),
        ({"ceiling_minutes": float("inf")}, "ceiling_minutes is inf"),
        ({"boards": []}, "must be boards by name"),
        ({"boards": {"uno 1": {"kind": "uno"}}}, "no name for a board"),
        ({"boards": {"site": {"kind": "uno", "virtual": True}}}, "a night has a file"),
        ({"boards": {"uno-1": {"kind": "unno", "virtual": True}}}, "unno"),
        ({"boards": {"uno-1": {"kind": "uno"}}}, "nothing tells this board from others"),
        ({"boards": {"u": {"kind": "uno", "virtual": True, "fault": "hnag=3"}}}, "fault 'hnag'"),
        ({"boards": {"u": {"kind": "uno", "port": "/dev/x", "fault": "hang=3"}}}, "virtual board"),
        (
            {"boards": {n: {"kind": "uno", "serial_number": "7"} for n in ("a", "b")}},
            "b is the same board as a",
        ),
        ({"boards": {"uno-1": {"kind": "uno", "vitual": True}}}, "unknown key 'vitual'"),
        ({"seeds": list(range(1000)), "repeats": 100}, "200,000 cells"),
    ],
)
def test_what_is_wrong_is_named(change, words):
    with pytest.raises(UsageError) as caught:
        parse(GOOD | change, "plan.yaml")
    assert words in caught.value.message


@pytest.mark.parametrize("missing", GOOD)
def test_what_is_missing_is_named(missing):
    with pytest.raises(UsageError, match=f"missing {missing}"):
        parse({k: v for k, v in GOOD.items() if k != missing}, "plan.yaml")


@pytest.mark.parametrize("text", ["", "[]", "a: [", "just words", "\x00", "? {a: 1}\n: 2"])
def test_a_file_that_is_no_plan_is_refused(tmp_path, text):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"plan\.yaml"):
        read_plan(path)


def test_a_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no-such"):
        read_plan(tmp_path / "no-such.yaml")
