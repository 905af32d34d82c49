"""The test sets of papers, read from the folders in which they are published, and the numbers that
papers report of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.benchmark_sets import (
    COFW68_LABELS,
    INFANFACE_LABELS,
    read_cofw68,
    read_infanface,
)
from facedots.annotations.load import ReadOptions, load_annotations
from facedots.errors import DataError
from facedots.evaluation.measures import visibility_values
from facedots.evaluation.metrics import auc, failure_rate, finite_mean, nme, norm_distances, plain
from facedots.evaluation.result import Evaluation
from facedots.geometry import check_shape
from facedots.schema import IBUG68, KeypointSchema
from facedots.uncertainty import Doubles

THRESHOLDS = (8, 10)
"""NME in percent up to which papers give the AUC, and above which a face is a failure."""


@dataclass(frozen=True)
class Benchmark:
    """A published test set of faces with 68 points.

    Attributes:
        title: What papers call it.
        folder: Of the data set.
        labels: Folders of ``.pts`` files, or lists, in it.
        faces: Their number as published.
        reader: Reads the folder, where its labels are of another kind.

    Example:
        >>> BENCHMARKS["300w-challenging"].labels
        ('ibug',)
    """

    title: str
    folder: str
    labels: tuple[str, ...]
    faces: int
    reader: Callable[[Path], list[FaceAnnotation]] | None = None

    def load(self, data: str | Path) -> list[FaceAnnotation]:
        """The faces in the folder of the data set, or in one that holds it.

        Raises:
            DataError: Labels are missing.
            AnnotationError: Files have faults.
        """
        root = Path(data)
        root = root / self.folder if (root / self.folder).is_dir() else root
        missing = [str(root / labels) for labels in self.labels if not (root / labels).exists()]
        if missing:
            raise DataError(f"{self.title}: no {', '.join(missing)}; give the folder of the set")
        if self.reader:
            return self.reader(root)
        format = "pts" if (root / self.labels[0]).is_dir() else "list"
        options = ReadOptions(format, schema=IBUG68)
        sets = [load_annotations(root / labels, options) for labels in self.labels]
        return [face for each in sets for face in each.faces]


_WFLW_TEST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt"
_COMMON = ("helen/testset", "lfpw/testset")

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        "300w-common": Benchmark("300-W common", "300w", _COMMON, 554),
        "300w-challenging": Benchmark("300-W challenging (iBUG)", "300w", ("ibug",), 135),
        "300w-full": Benchmark("300-W full", "300w", (*_COMMON, "ibug"), 689),
        "cofw68": Benchmark("COFW68", "cofw68-benchmark", (COFW68_LABELS,), 507, read_cofw68),
        "infanface": Benchmark(
            "InfAnFace test", "infanface", (INFANFACE_LABELS,), 200, read_infanface
        ),
        "wflw": Benchmark("WFLW test, 68 of its 98 points", "WFLW", (_WFLW_TEST,), 2500),
    }
)
"""The test sets by name."""


def pupil_distances(true: ArrayLike, schema: KeypointSchema = IBUG68) -> Doubles:
    """The distance ``(N,)`` in pixels of the eyes' centers, the means of their points, which older
    papers divide errors by; NaN where a point of an eye is missing.
    """
    points = np.asarray(check_shape(true, f"N {schema.count} 2", "true points"), np.float64)
    right, left = (
        points[:, list(schema.regions[eye])].mean(axis=1) for eye in ("right_eye", "left_eye")
    )
    return np.hypot(*(left - right).T)


def published_measures(evaluation: Evaluation) -> dict[str, Any]:
    """The numbers that papers report, in percent but for the counts, ready for JSON.

    ``nme`` is over the outer eye corners, ``nme_pupils`` over :func:`pupil_distances`; both are
    means of the faces that were not missed. A missed face is a failure (``fr``) and adds nothing to
    the area under the curve (``auc``), both of ``nme``. Then :func:`visibility_values`, where the
    labels and the network tell what is hidden.
    """
    true, schema = evaluation.true, evaluation.schema
    errors = nme(evaluation.predicted, true, schema)
    pupils = errors * norm_distances(true, schema) / pupil_distances(true, schema)
    values: dict[str, Any] = {
        "faces": len(errors),
        "missed": int(np.isinf(errors).sum()),
        "skipped": len(evaluation.skipped),
        "nme": finite_mean(errors),
        "nme_pupils": finite_mean(pupils),
    }
    for limit in THRESHOLDS:
        values |= {f"auc{limit}": auc(errors, limit), f"fr{limit}": failure_rate(errors, limit)}
    rounded: dict[str, Any] = plain(values | visibility_values(evaluation))
    return rounded
