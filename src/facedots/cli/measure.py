"""What `facedots evaluate` and `facedots compare` share: measuring a network on the test faces of a
split.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facedots.inference.weights import weights_file

if TYPE_CHECKING:
    from facedots.detection.base import Detector
    from facedots.evaluation.result import Result


class DetectorName(StrEnum):
    """Who finds the box; ``none`` takes the tight box of the true points."""

    NONE = "none"
    RETINAFACE = "retinaface"
    HAAR = "haar"


SplitName = Annotated[
    str, typer.Option("--split", help="official, or disjoint:0 to disjoint:4 (by person).")
]
SourceNames = Annotated[
    list[str] | None,
    typer.Option("--source", help="youtube-faces, 300w or own; by default, what is there."),
]
DetectorChoice = Annotated[
    DetectorName,
    typer.Option("--detector", help="Find the box end to end instead of taking the true one."),
]

LOG_FILE = "logs/metrics.csv"
"""Where the folder of a run has the log of its training."""


@dataclass(frozen=True)
class EvalConfig:
    """The faces to measure on, and how.

    Attributes:
        data: Folder with the data, or ``synthetic:N``.
        split: As in ``"official"``.
        sources: The data sets in it; empty for drawn faces.
        detector: Who finds the boxes.
    """

    data: str
    split: str
    sources: tuple[str, ...]
    detector: DetectorName

    @classmethod
    def of(
        cls, data: str, split: str, source: list[str] | None, detector: DetectorName
    ) -> "EvalConfig":
        """The exam that the options of a command ask for."""
        from facedots.data.sources import detect_sources

        sources = () if data.startswith("synthetic:") else tuple(source or detect_sources(data))
        return cls(data, split if sources else "synthetic", sources, detector)


def measure(weights: str, exam: EvalConfig) -> "Result":
    """Measure a network; progress is shown on the error output.

    Args:
        weights: A name from ``facedots models``, an ``.onnx`` file, or the folder of a run, whose
            log is read too.
        exam: On what.

    Raises:
        FacedotsError: There are no such weights or data, or no face could be measured.
    """
    from rich.console import Console
    from rich.progress import track

    from facedots.annotations.load import ReadOptions
    from facedots.data.splits import load_split
    from facedots.evaluation.mean_face import mean_shape, place_shape
    from facedots.evaluation.metrics import nme
    from facedots.evaluation.protocol import evaluate
    from facedots.evaluation.result import EvalContext, Result
    from facedots.inference.predictor import KeypointPredictor
    from facedots.plots.curves import training_history

    file = weights_file(weights)
    predictor = KeypointPredictor(file)
    faces = load_split(
        exam.data, exam.sources, exam.split, options=ReadOptions(schema=predictor.spec.schema)
    )
    shown = track(
        faces.test,
        f"measuring {weights}",
        console=Console(stderr=True, highlight=False),
        transient=True,
    )
    detector = _detector(exam.detector)
    evaluation = evaluate(predictor, shown, detector or "truth")
    mean_face = place_shape(mean_shape(faces.train, predictor.spec.crop), evaluation.squares)
    setting = EvalContext(
        model=predictor.spec.name,
        weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        data=exam.data,
        sources=exam.sources,
        split=exam.split,
        trained_split=predictor.card.split,
        boxes=str(exam.detector)
        if detector
        else "none"
        if predictor.spec.crop.mode == "frame"
        else "truth",
        style=predictor.card.style,
    )
    log = Path(weights) / LOG_FILE
    return Result(
        name=predictor.spec.name,
        evaluation=evaluation,
        setting=setting,
        floor=nme(mean_face, evaluation.true, evaluation.schema),
        history=training_history(log) if log.is_file() else None,
    )


def _detector(name: DetectorName) -> "Detector | None":
    if name is DetectorName.NONE:
        return None
    if name is DetectorName.HAAR:
        from facedots.detection.haar import Haar

        return Haar()
    from facedots.detection.retinaface import RetinaFace

    return RetinaFace()
