"""A study of language models: models x seeds on a text corpus, perplexities beside the paper's.

Each is trained in a folder of its own under the study's, which follows from all that decides the
result. While it runs, the folder holds `checkpoint.pt` and `epochs.json`; a killed study goes on
from the last epoch. In the end it holds `epochs.json` and `result.json`. No board takes part.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from harness import paths, provenance
from harness.datasets import TextDataset, load_text
from harness.errors import HarnessError, UsageError
from harness.events import Event, Listener, ignore
from harness.files import write_atomic
from harness.language_presets import LanguageHyper, language_hyper
from harness.presets import parse_model_name
from harness.study import pool
from harness.study.stats import mean_interval

RESULT, EPOCHS, CHECKPOINT = "result.json", "epochs.json", "checkpoint.pt"


@dataclass(frozen=True)
class LanguageOptions:
    """One training of a study. overrides: hyper-parameters that replace the preset's, by name;
    device: cpu or cuda."""

    dataset: str
    model: str
    preset: str = "quick"
    seed: int = 0
    data_dir: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    @property
    def hyper(self) -> LanguageHyper:
        """Raises UsageError for unknown names and values out of range."""
        return language_hyper(self.preset, self.model, self.overrides)

    def load(self) -> TextDataset:
        return load_text(self.dataset, Path(self.data_dir) if self.data_dir else None)

    def folder(self, out: Path, data_sha256: str) -> Path:
        """Where this training lies: named for people, made unique by a hash."""
        what = [self.model, asdict(self.hyper), self.seed, self.device, data_sha256]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:10]
        return out / f"{self.dataset}-{self.model}-{self.preset}-seed{self.seed}-{digest}"


def run_all(
    trainings: Sequence[LanguageOptions],
    out: Path,
    *,
    workers: int = 2,
    listen: Listener = ignore,
) -> list[Path]:
    """Do every training that is not finished yet, `workers` at a time; the folders, in order.

    All are of one data set. Raises LabError at the end, naming those that failed.
    """
    if importlib.util.find_spec("torch") is None:
        raise UsageError("training needs torch", hint="pip install 'harness[train]'")
    for options in trainings:
        _ = options.hyper  # refuse unknown names before anything is read
    digest = trainings[0].load().sha256
    folders = {options.folder(out, digest): options for options in trainings}
    todo = {f: o for f, o in folders.items() if not (f / RESULT).is_file()}

    def watch(folder: Path, ended: bool) -> None:
        options = folders[folder]
        listen(_progress(folder, f"{options.model} seed {options.seed}", ended))

    pool.work_off(
        _train,
        todo,
        study=out.name,
        total=len(folders),
        workers=workers,
        listen=listen,
        watch=watch,
    )
    return list(folders)


def _train(options: LanguageOptions, folder: Path) -> str:
    """Do or continue one training, in a worker process; what went wrong, or ''."""
    from harness.language import Epoch, train_language

    def keep(epochs: Sequence[Epoch], total: int) -> None:
        facts = {"total": total, "epochs": [asdict(epoch) for epoch in epochs]}
        write_atomic(folder / EPOCHS, json.dumps(facts, indent=1))

    with pool.locked(folder):
        if (folder / RESULT).is_file():
            return ""
        try:
            data = options.load()
            spec = parse_model_name(options.model)
            result = train_language(
                spec.cell,
                data,
                options.hyper,
                options.seed,
                quantised=spec.quantised,
                progress=keep,
                checkpoint=folder / CHECKPOINT,
                device=options.device,
            )
        except HarnessError as error:
            return error.message
        facts = {
            **asdict(options),
            "dataset_sha256": data.sha256,
            "hyper": asdict(options.hyper),
            "vocabulary": data.vocabulary,
            "train_perplexity": result.train,
            "validation_perplexity": result.validation,
            "test_perplexity": result.test,
            "test_perplexity_float": result.test_float,
            "parameters": result.parameters,
            "cell_bytes": result.cell_bytes,
            "epochs": len(result.epochs),
            "seconds": result.seconds,
        }
        write_atomic(folder / RESULT, json.dumps(provenance.collect() | facts, indent=1))
        (folder / CHECKPOINT).unlink(missing_ok=True)
    return ""


def _progress(folder: Path, subject: str, ended: bool) -> Event:
    """How far a training is, from its files."""
    if ended and not (folder / RESULT).is_file():
        return Event("train", subject, detail="failed", finished=True)
    if ended:
        facts = json.loads((folder / RESULT).read_text())
        detail = (
            f"perplexity {facts['validation_perplexity']:.1f} (validation), "
            f"{facts['seconds']:.0f} s"
        )
        return Event("train", subject, 1, 1, detail, finished=True)
    if not (folder / EPOCHS).is_file():
        return Event("train", subject)
    facts = json.loads((folder / EPOCHS).read_text())
    last = facts["epochs"][-1]
    detail = f"{last['stage']}  perplexity {last['validation']:.1f} (validation)"
    return Event("train", subject, len(facts["epochs"]), facts["total"], detail)


# -- the table -----------------------------------------------------------------------------------


@cache
def paper_figures() -> pd.DataFrame:
    """The paper's Table 2: `harness/study/paper_ptb.csv`, with sources in its header."""
    return pd.read_csv(paths.PACKAGE_DIR / "study" / "paper_ptb.csv", comment="#")


def paper_table(folders: Iterable[Path], dataset: str) -> pd.DataFrame:
    """Per model: our perplexities, means over the seeds, beside the paper's of the same method.

    ppl: perplexity, of the form that the name means: the cell's matrices rounded to bytes, or
    floats for -q and the like (`test_ppl_float`: before rounding). kb: of 1024 bytes, of the
    recurrent cell, as the paper counts. `seconds` is wall time on this machine.
    """
    rows = pd.DataFrame([json.loads((folder / RESULT).read_text()) for folder in folders])
    table = pd.DataFrame([_row(str(model), g) for model, g in rows.groupby("model", sort=False)])
    figures = paper_figures()
    figures = figures[figures["dataset"] == dataset].set_index("model")
    for name in ("train_ppl", "test_ppl", "kb", "minutes"):
        table[f"paper_{name}"] = table["model"].map(figures[name])
    table["test_ppl_above_paper"] = table["test_ppl"] - table["paper_test_ppl"]
    return table


def _row(model: str, group: pd.DataFrame) -> dict[str, Any]:
    test = mean_interval(list(group["test_perplexity"]))
    return {
        "model": model,
        "seeds": len(group),
        "train_ppl": float(group["train_perplexity"].mean()),
        "valid_ppl": float(group["validation_perplexity"].mean()),
        "test_ppl": test.mean,
        "test_ppl_half_width": test.half_width,
        "test_ppl_each_seed": " ".join(f"{v:.2f}" for v in group["test_perplexity"]),
        "test_ppl_float": float(group["test_perplexity_float"].mean()),
        "cell_kb": float(group["cell_bytes"].median()) / 1024,
        "parameters": int(group["parameters"].iloc[0]),
        "hidden": int(group["hyper"].iloc[0]["cell"]["hidden"]),
        "epochs": int(group["epochs"].iloc[0]),
        "seconds": float(group["seconds"].median()),
    }
