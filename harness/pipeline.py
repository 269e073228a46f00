"""From a model name to trained artefacts in the cache. A second call trains nothing, without torch.

Each training stage is cached by the hash of all that goes into it, so `fastgrnn`, `fastgrnn-q` and
`fastgrnn-sq` share their stages, and a killed training resumes in its stage. Layout:

    <cache>/networks/<hash>/torch-<version>-<kernel>/  float.npz, stage.json (last), checkpoint
    <cache>/models/<hash>/torch-<version>-<kernel>/    float.npz, model.npz, result.json (last)
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import fused
from harness.datasets import (
    Dataset,
    Standardisation,
    features,
    load,
    raw,
    standardisation,
)
from harness.errors import HarnessError, UsageError
from harness.files import write_atomic
from harness.floatmodel import FloatModel
from harness.presets import Hyper, ModelSpec, applied, hyper, parse_model_name
from harness.qmodel import QModel
from harness.quantize import float_bytes, integer_bytes, paper_bytes, quantise
from harness.reference import CELLS, Dims
from harness.reference.model import run
from harness.tools import file_lock

SOURCE_VERSION = 6  # raise it when training, compression or quantisation changes its results

Progress = Callable[[str, int, int, float, float], None]


@dataclass(frozen=True)
class StageResult:
    """One row of the compression table.

    stage: `dense` or `low-rank`, `sparse`, `rounded` (oRNN), `quantised`. Accuracies are shares of
    the windows of `evaluated_on`; accuracy_integer is None before quantisation. seconds: wall time
    of the training when it was done.
    """

    stage: str
    accuracy_float: float
    accuracy_integer: float | None
    model_bytes: int
    paper_bytes: int
    params_nonzero: int
    density_w: float
    density_u: float
    evaluated_on: str
    seconds: float


@dataclass(frozen=True)
class TrainedModel:
    """A trained model and what is known of it.

    qmodel               None for the float forms (-q, -sq, -lsq)
    accuracy_float       of the float weights on the whole test set
    accuracy_host        of the integer model on the whole test set, by the reference; None if float
    accuracy_validation  on the held-out split; None unless trained with hold_out
    stages               the compression table
    train_seconds        wall seconds of all its stages, when they were trained
    """

    spec: ModelSpec
    dataset: str
    preset: str
    seed: int
    hyper: Hyper
    float_model: FloatModel
    qmodel: QModel | None
    accuracy_float: float
    accuracy_host: float | None
    accuracy_validation: float | None
    stages: tuple[StageResult, ...]
    train_seconds: float
    config_sha256: str
    folder: Path
    cached: bool

    @property
    def model_sha256(self) -> str:
        """Of the integer model, or of the float one."""
        return self.qmodel.sha256 if self.qmodel is not None else self.float_model.sha256

    @property
    def state_bound(self) -> float | None:
        """Proved bound of |h| over a window (FastGRNN: zeta + T nu); None where there is none."""
        model = self.float_model
        return CELLS[model.cell].state_bound(model.scalars, model.steps, model.dims.options)


def _ignore(stage: str, done: int, total: int, loss: float, accuracy: float) -> None:
    pass


def train_model(
    name: str,
    dataset: str | Dataset,
    preset: str = "quick",
    seed: int = 0,
    *,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    hold_out: bool = False,
    overrides: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> TrainedModel:
    """Train `name` on a data set under a preset, or take it from the cache.

    Trains on train and validation windows together; with `hold_out` on train only, and reports the
    validation accuracy. `overrides` replace hyper-parameters by name. Nothing is chosen on test.
    `device` is where torch trains, `cpu` or `cuda`; each has its own bits and its own cache entry.
    `progress(stage, epochs done, epochs in all, loss, training accuracy)` is called per epoch.
    """
    spec = parse_model_name(name)
    data = load(dataset, data_dir) if isinstance(dataset, str) else dataset
    h = applied(spec, hyper(preset, data.name, spec.cell, overrides))
    if not isinstance(seed, int) or seed < 0:
        raise UsageError(f"seed is {seed!r}, must be an integer from 0")
    job = _Job(spec, data, preset, seed, h, hold_out, progress or _ignore, device)
    kept = job.cached()
    return kept if kept is not None else job.train()


def _chosen(h: Hyper) -> dict[str, Any]:
    """The hyper-parameters that are not at their defaults: one that is new changes no old key."""
    usual = asdict(Hyper())
    return {name: value for name, value in asdict(h).items() if value != usual[name]}


def _hash(parts: Mapping[str, Any]) -> str:
    text = json.dumps({"source_version": SOURCE_VERSION, **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _torch_version() -> str | None:
    """torch's version without importing it; None if it is not installed."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def _folder(kind: str, key: str) -> Path:
    """Where a result lies. Without torch, the newest one that any torch version made."""
    from harness.paths import cache_dir

    base = cache_dir(kind, key[:40])
    version = _torch_version()
    if version is not None:
        return base / f"torch-{version}-{fused.identifier()}"
    made = sorted(base.glob("torch-*/*.json"), key=lambda p: p.stat().st_mtime)
    return made[-1].parent if made else base / "torch-none"


@dataclass(frozen=True)
class _Job:
    """One call of train_model, with everything that decides its result."""

    spec: ModelSpec
    data: Dataset
    preset: str
    seed: int
    hyper: Hyper
    hold_out: bool
    progress: Progress
    device: str

    def network_key(self, stage: str) -> str:
        """Hash of what decides the float weights after `stage`: first, sparse or rounded."""
        later = {"state_bits", "sum_bits"}
        if stage != "rounded":
            later |= {"epochs_rounded"}
        if stage == "first":
            later |= {"density_w", "density_u", "epochs_sparse", "epochs_frozen"}
        fields = {k: v for k, v in _chosen(self.hyper).items() if k not in later}
        parts = {
            "cell": self.spec.cell,
            "dataset": self.data.sha256,
            "hold_out": self.hold_out,
            "hyper": fields,
            "seed": self.seed,
            "stage": stage,
        }
        if self.device != "cpu":  # other bits; what a CPU trained keeps its key
            parts["device"] = self.device
        return _hash(parts)

    @property
    def stages(self) -> tuple[str, ...]:
        sparse = self.hyper.density_w < 1.0 or self.hyper.density_u < 1.0
        rounded = self.hyper.epochs_rounded > 0
        return ("first", *["sparse"] * sparse, *["rounded"] * rounded)

    @property
    def key(self) -> str:
        parts = {
            "network": self.network_key(self.stages[-1]),
            "dataset": self.data.name,
            "name": self.spec.name,
            "quantised": self.spec.quantised,
            "state_bits": self.hyper.state_bits,
        }
        if self.hyper.sum_bits != 32:  # what was made before there was a choice keeps its key
            parts["sum_bits"] = self.hyper.sum_bits
        return _hash(parts)

    # -- the finished result ---------------------------------------------------------------------

    def cached(self) -> TrainedModel | None:
        """The result if it is in the cache, whole and readable."""
        folder = _folder("models", self.key)
        try:
            result = json.loads((folder / "result.json").read_text())
            float_model = FloatModel.load(folder / "float.npz")
            qmodel = QModel.load(folder / "model.npz") if self.spec.quantised else None
            trained = self._result(result, float_model, qmodel, folder, cached=True)
            if trained.model_sha256 != result["model_sha256"]:
                return None
        except (OSError, ValueError, KeyError, TypeError, HarnessError):
            return None  # missing or damaged: train again
        return trained

    def _result(
        self,
        result: Mapping[str, Any],
        float_model: FloatModel,
        qmodel: QModel | None,
        folder: Path,
        *,
        cached: bool,
    ) -> TrainedModel:
        return TrainedModel(
            spec=self.spec,
            dataset=self.data.name,
            preset=self.preset,
            seed=self.seed,
            hyper=self.hyper,
            float_model=float_model,
            qmodel=qmodel,
            accuracy_float=result["accuracy_float"],
            accuracy_host=result["accuracy_host"],
            accuracy_validation=result["accuracy_validation"],
            stages=tuple(StageResult(**row) for row in result["stages"]),
            train_seconds=result["train_seconds"],
            config_sha256=self.key,
            folder=folder,
            cached=cached,
        )

    # -- making it -------------------------------------------------------------------------------

    def train(self) -> TrainedModel:
        split = "train" if self.hold_out else "fit"
        constants = standardisation(self.data, split)
        x = features(self.data, split, constants)
        y = self.data.part(split).y
        x_test = features(self.data, "test", constants)
        judged = "validation" if self.hold_out else "test"
        x_judged = features(self.data, judged, constants) if self.hold_out else x_test

        rows: list[StageResult] = []
        float_model: FloatModel | None = None
        for stage in self.stages:
            float_model, seconds = self._stage(stage, x, y, constants, float_model)
            rows.append(self._float_row(stage, float_model, x_judged, judged, seconds))
        assert float_model is not None  # there is always a first stage

        qmodel = None
        accuracy_host = None
        if self.spec.quantised:
            qmodel, accuracy_host, row = self._quantise(float_model, x, rows[-1], judged)
            rows.append(row)
        last = rows[-1]
        judged_accuracy = last.accuracy_float if qmodel is None else last.accuracy_integer
        result = self._facts() | {
            "accuracy_float": float_model.accuracy(x_test, self.data.test.y),
            "accuracy_host": accuracy_host,
            "accuracy_validation": judged_accuracy if self.hold_out else None,
            "stages": [asdict(row) for row in rows],
            "train_seconds": sum(row.seconds for row in rows),
            "model_sha256": qmodel.sha256 if qmodel is not None else float_model.sha256,
        }
        folder = _folder("models", self.key)
        float_model.save(folder / "float.npz")
        if qmodel is not None:
            qmodel.save(folder / "model.npz")
        write_atomic(folder / "result.json", json.dumps(result, indent=1).encode())
        return self._result(result, float_model, qmodel, folder, cached=False)

    def _facts(self) -> dict[str, Any]:
        """What went in, for people who read result.json."""
        return {
            "name": self.spec.name,
            "dataset": self.data.name,
            "dataset_sha256": self.data.sha256,
            "preset": self.preset,
            "seed": self.seed,
            "hyper": asdict(self.hyper),
            "hold_out": self.hold_out,
            "device": self.device,
            "torch": _torch_version(),
            "kernel": fused.identifier(),
            "numpy": np.__version__,
        }

    def _stage(
        self,
        stage: str,
        x: NDArray[np.float32],
        y: NDArray[np.int64],
        constants: Standardisation,
        before: FloatModel | None,
    ) -> tuple[FloatModel, float]:
        """The float model after a stage and its training seconds, from the cache or now."""
        key = self.network_key(stage)
        folder = _folder("networks", key)
        with file_lock(f"network-{key[:40]}"):  # whoever waits finds it trained
            kept = self._cached_stage(folder)
            return kept or self._train_stage(stage, folder, x, y, constants, before)

    def _cached_stage(self, folder: Path) -> tuple[FloatModel, float] | None:
        try:
            record = json.loads((folder / "stage.json").read_text())
            return self._named(FloatModel.load(folder / "float.npz")), float(record["seconds"])
        except (OSError, ValueError, KeyError, TypeError, HarnessError):
            return None  # missing or damaged: train

    def _train_stage(
        self,
        stage: str,
        folder: Path,
        x: NDArray[np.float32],
        y: NDArray[np.int64],
        constants: Standardisation,
        before: FloatModel | None,
    ) -> tuple[FloatModel, float]:
        try:
            import torch

            from harness import compress
            from harness.train import Training, build
        except ImportError as error:
            raise UsageError(
                f"{self.spec.name} on {self.data.name} is not trained yet; training needs torch",
                hint="pip install 'harness[train]', or copy the cache of a machine that has it",
            ) from error

        data, h = self.data, self.hyper
        network = build(self.spec.cell, data.features, data.classes, data.steps, h, self.seed)
        if before is not None:
            tensors = {n: torch.from_numpy(a.copy()) for n, a in before.tensors.items()}
            network.cell.load_export(tensors, dict(before.scalars))
            with torch.no_grad():
                network.classifier.weight.copy_(tensors["F"])
                network.classifier.bias.copy_(tensors["b_F"])
        train = {
            "first": compress.train_first,
            "sparse": compress.train_sparse,
            "rounded": compress.train_rounded,
        }[stage]
        checkpoint = folder / "checkpoint.pt"
        outcome = train(
            Training(network, x, y, h, self.seed, self.progress, checkpoint, self.device)
        )
        model = FloatModel(
            cell=self.spec.cell,
            dims=Dims(data.features, h.hidden, data.classes, h.rank_w, h.rank_u, h.options),
            steps=data.steps,
            dataset=data.name,
            class_names=data.class_names,
            tensors=network.export(),
            scalars=network.cell.scalars(),
            standardisation=constants,
            raw_step=data.raw_step,
            companded=data.companded,
        )
        model.save(folder / "float.npz")
        record = {"seconds": outcome.seconds, "loss": outcome.loss, "accuracy": outcome.accuracy}
        write_atomic(folder / "stage.json", json.dumps(record).encode())
        for leftover in (*folder.glob("checkpoint.*"), *folder.glob(".checkpoint.*.tmp")):
            leftover.unlink(missing_ok=True)
        return model, outcome.seconds

    def _named(self, model: FloatModel) -> FloatModel:
        """A cached network may have been trained under another name of the same data."""
        return replace(model, dataset=self.data.name)

    def _float_row(
        self, stage: str, model: FloatModel, x: NDArray[np.float32], judged: str, seconds: float
    ) -> StageResult:
        low_rank = self.hyper.rank_w is not None or self.hyper.rank_u is not None
        first = "low-rank" if low_rank else "dense"
        matrices = {n: a for n, a in model.tensors.items() if n[0] in "WU"}
        spec = CELLS[model.cell].tensor_spec(model.dims)
        return StageResult(
            stage=first if stage == "first" else stage,
            accuracy_float=model.accuracy(x, self.data.part(judged).y),
            accuracy_integer=None,
            model_bytes=float_bytes(model),
            paper_bytes=paper_bytes(model),
            params_nonzero=int(sum(np.count_nonzero(model.tensors[n]) for n in spec)),
            density_w=_density(matrices, "W"),
            density_u=_density(matrices, "U"),
            evaluated_on=judged,
            seconds=seconds,
        )

    def _quantise(
        self, model: FloatModel, x: NDArray[np.float32], before: StageResult, judged: str
    ) -> tuple[QModel, float, StageResult]:
        bits = {"state_bits": self.hyper.state_bits, "sum_bits": self.hyper.sum_bits}
        qmodel = quantise(model, x, name=self.spec.name, **bits)
        qmodel = replace(
            qmodel,
            info={
                "preset": self.preset,
                "seed": self.seed,
                "hold_out": self.hold_out,
                "dataset_sha256": self.data.sha256,
                "float_sha256": model.sha256,
                "config_sha256": self.key,
            },
        )
        accuracy_test = accuracy(qmodel, self.data, "test")
        row = replace(
            before,
            stage="quantised",
            accuracy_integer=(
                accuracy_test if judged == "test" else accuracy(qmodel, self.data, judged)
            ),
            model_bytes=integer_bytes(qmodel),
            paper_bytes=paper_bytes(qmodel),
            params_nonzero=qmodel.params_nonzero,
            density_w=qmodel.density("W"),
            density_u=qmodel.density("U"),
            seconds=0.0,
        )
        return qmodel, accuracy_test, row


def _density(matrices: Mapping[str, NDArray[Any]], side: str) -> float:
    parts = [m for name, m in matrices.items() if name.startswith(side)]
    size = sum(p.size for p in parts)
    return float(sum(np.count_nonzero(p) for p in parts) / size) if size else 1.0


def accuracy(model: QModel, dataset: Dataset, split: str = "test") -> float:
    """Share of windows that the integer model gets right, by the reference."""
    labels = run(model, raw(dataset, split)).labels
    return float((labels == dataset.part(split).y).mean())


__all__ = ["StageResult", "TrainedModel", "accuracy", "train_model"]
