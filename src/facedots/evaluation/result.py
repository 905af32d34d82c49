"""The result of measuring one network, and its file, from which reports are made."""

import csv
import io
import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from facedots.errors import DataError
from facedots.evaluation.context import EvalContext
from facedots.evaluation.metrics import Accuracy, finite_mean, measure_accuracy, nme
from facedots.geometry import Floats, Matrix
from facedots.io.files import atomic_write, protect
from facedots.io.tar_files import ImagePlace, TarMember
from facedots.schema import KeypointSchema
from facedots.uncertainty import Doubles, sigma_of

RESULT_FILE = "evaluation.npz"
METRICS_FILE = "logs/metrics.csv"
"""Training log in the folder of a run."""
_VERSION = 2
# What NumPy raises at damaged archives; its headers are Python, hence the last two.
_DAMAGED = (
    *(KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error),
    *(NotImplementedError, SyntaxError, tokenize.TokenError),
)
_ARRAYS = ("true", "predicted", "covariance", "confidence", "score", "squares")
_OPTIONAL = ("baseline", "visible", "visibility", "true_pupils", "pupils", "pupils_covariance")
_TUPLES = ("names", "groups", "images", "skipped")
_ATTRIBUTE = "attribute_"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """N labeled faces and one network's predictions for them, in the order of the annotations.

    Attributes:
        name: Name of the network in reports.
        schema: Meaning of the K points.
        names: Names of the faces, as the annotations have them.
        groups: People or photos, as the annotations have them; ``""`` where unknown.
        images: Image files.
        true: ``float32 (N, K, 2)``, the labels in pixels; NaN where a point has none.
        predicted: ``float32 (N, K, 2)`` in pixels; NaN for a missed face.
        covariance: ``float32 (N, K, 2, 2)`` in square pixels; NaN for a missed face and where the
            network predicts none.
        confidence: ``float32 (N, K)``, see :class:`~facedots.types.Keypoints`; NaN like covariance.
        score: ``float32 (N,)``, the network's score of each face, see the same class.
        squares: ``float64 (N, 3)``, center x, center y, side in pixels of the network's crop; NaN
            for a missed face.
        attributes: Name -> ``float64 (N,)``, see :data:`facedots.evaluation.slices.ATTRIBUTES`.
        skipped: Name and reason of each face that could not be measured; they count nowhere.
        dof: Degrees of freedom of the errors' law, see :mod:`facedots.uncertainty`.
        context: What was measured, on which data and how.
        baseline: NME ``(N,)`` in percent of a mean face in the same squares, or ``None``.
        history: Training log: column -> epoch -> value; empty where unknown.
        visible: ``float32 (N, K)``, the labels: 1 seen, 0 hidden, NaN unknown; ``None`` where no
            label says what is hidden.
        visibility: ``float32 (N, K)`` as predicted, see :class:`~facedots.types.Keypoints`; as the
            next ones, NaN for a missed face, and ``None`` where the network predicts none.
        pupils: ``float32 (N, 2, 2)`` in pixels.
        pupils_covariance: ``float32 (N, 2, 2, 2)`` in square pixels.
        true_pupils: ``float32 (N, 2, 2)``, the labels; NaN or ``None`` where there are none.

    Example:
        >>> Evaluation.load("report/evaluation.npz").accuracy.nme  # doctest: +SKIP
        3.79
    """

    name: str
    schema: KeypointSchema
    names: tuple[str, ...]
    groups: tuple[str, ...]
    images: tuple[ImagePlace, ...]
    true: Floats
    predicted: Floats
    covariance: Floats
    confidence: Floats
    score: Floats
    squares: Matrix
    attributes: Mapping[str, Doubles]
    skipped: tuple[tuple[str, str], ...] = ()
    dof: float | None = None
    context: EvalContext = field(default_factory=EvalContext)
    baseline: Doubles | None = None
    history: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    visible: Floats | None = None
    visibility: Floats | None = None
    pupils: Floats | None = None
    pupils_covariance: Floats | None = None
    true_pupils: Floats | None = None

    @cached_property
    def nme(self) -> Doubles:
        """``float64 (N,)`` in percent; ``inf`` for a missed face."""
        return nme(self.predicted, self.true, self.schema)

    @cached_property
    def accuracy(self) -> Accuracy:
        """The errors of the N faces in summary."""
        return measure_accuracy(self.predicted, self.true, self.schema)

    @property
    def sigma(self) -> Floats:
        """``float32 (N, K)`` in pixels; NaN like the covariance."""
        return sigma_of(self.covariance)

    @property
    def missed(self) -> tuple[str, ...]:
        """The names of the faces without a prediction."""
        return tuple(n for n, error in zip(self.names, self.nme, strict=True) if np.isinf(error))

    def caveats(self) -> list[str]:
        """Why the scores may mislead or the network does not serve, a sentence each."""
        sentences, error = self.context.caveats(self.name), self.accuracy.nme
        average = np.nan if self.baseline is None else finite_mean(self.baseline)
        if error > average:
            sentences.append(
                f"{self.name} is worse than an average face put into each box (NME {error:.1f} % "
                f"against {average:.1f} %): it does not find the points of these faces."
            )
        return sentences

    def save(self, path: str | Path) -> None:
        """Write NumPy's ``.npz`` without pickle, about 2 MB for 770 faces.

        Raises:
            OutputError: The file cannot be written.
        """
        about = {
            **{name: getattr(self, name) for name in ("name", "dof", *_TUPLES)},
            "version": _VERSION,
            "schema": json.loads(self.schema.to_json()),
            "context": asdict(self.context),
            "history": {name: list(epochs.items()) for name, epochs in self.history.items()},
            "images": [
                asdict(image) if isinstance(image, TarMember) else str(image.absolute())
                for image in self.images
            ],
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {_ATTRIBUTE + name: values for name, values in self.attributes.items()}
        optional = ((name, getattr(self, name)) for name in _OPTIONAL)
        arrays |= {name: values for name, values in optional if values is not None}
        data = io.BytesIO()
        np.savez_compressed(data, about=np.array(json.dumps(about)), **arrays)
        atomic_write(path, data.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "Evaluation":
        """Read the file that :meth:`save` wrote, or the one in a report's folder.

        Raises:
            DataError: The file is missing, damaged, or of another version.
        """
        file = Path(path) / RESULT_FILE if Path(path).is_dir() else Path(path)
        try:
            protect([file])
            with np.load(file, allow_pickle=False) as content:
                return cls._parsed(content, file)
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
        except _DAMAGED as error:
            reason = f"not a file that `facedots evaluate` writes: {error}"
            raise DataError(f"{file}: {reason}") from error

    @classmethod
    def _parsed(cls, content: "np.lib.npyio.NpzFile", file: Path) -> "Evaluation":
        about = json.loads(str(content["about"]))
        if about["version"] != _VERSION:
            reason = "written by another version of facedots; run `facedots evaluate` again"
            raise DataError(f"{file}: {reason}")
        context: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in about["context"].items()
        }
        attributes = [name for name in content.files if _ATTRIBUTE in name]
        return cls(
            name=about["name"],
            schema=KeypointSchema.from_json(json.dumps(about["schema"])),
            names=tuple(about["names"]),
            groups=tuple(about["groups"]),
            images=tuple(
                TarMember(**place) if isinstance(place, dict) else Path(place)
                for place in about["images"]
            ),
            **{name: content[name] for name in _ARRAYS},
            attributes={name.removeprefix(_ATTRIBUTE): content[name] for name in attributes},
            skipped=tuple((name, reason) for name, reason in about["skipped"]),
            dof=about["dof"],
            context=EvalContext(**context),
            **{name: content[name] for name in _OPTIONAL if name in content.files},
            history={name: dict(epochs) for name, epochs in about["history"].items()},
        )


def training_history(metrics_csv: str | Path) -> dict[str, dict[float, float]]:
    """Read Lightning's ``metrics.csv``: column -> epoch -> mean of the values logged in it.

    Epochs are counted from 1, as the progress bar does, not from 0 as in the file. Columns without
    a number are left out; ``<name>_epoch`` is called ``<name>``.

    Raises:
        DataError: The file cannot be read.
    """
    values: dict[str, dict[float, list[float]]] = {}
    try:
        with Path(metrics_csv).open(newline="") as file:
            for row in csv.DictReader(file):
                epoch = _number(row.get("epoch")) + 1
                for column, cell in row.items():
                    value = _number(cell)
                    if math.isfinite(epoch) and math.isfinite(value):
                        name = str(column).removesuffix("_epoch")
                        values.setdefault(name, {}).setdefault(epoch, []).append(value)
    except OSError as error:
        reason = f"cannot be read: {error.strerror}; is this the log of a run?"
        raise DataError(f"{metrics_csv}: {reason}") from error
    return {
        column: {epoch: float(np.mean(epochs[epoch])) for epoch in sorted(epochs)}
        for column, epochs in values.items()
    }


def _number(cell: object) -> float:
    """The number in a cell; NaN if it is empty or no number."""
    try:
        return float(str(cell or "nan"))
    except ValueError:
        return math.nan
