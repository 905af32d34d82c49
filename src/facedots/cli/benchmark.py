"""``facedots benchmark``: a network on a published test set, in the numbers of papers."""

import contextlib
import hashlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from facedots.cli.options import expand_options
from facedots.cli.output import echo
from facedots.pipeline_options import DeviceOption, ModelName

if TYPE_CHECKING:
    from facedots.annotations.base import FaceAnnotation
    from facedots.detection.base import Detector
    from facedots.inference.predictor import KeypointPredictor


class BenchmarkName(StrEnum):
    """The names in :data:`facedots.evaluation.benchmarks.BENCHMARKS`."""

    W300_COMMON = "300w-common"
    W300_CHALLENGING = "300w-challenging"
    W300_FULL = "300w-full"
    COFW68 = "cofw68"
    INFANFACE = "infanface"
    WFLW = "wflw"


@expand_options
def benchmark(
    test_set: Annotated[BenchmarkName, typer.Argument(metavar="BENCHMARK", help="The test set.")],
    *,
    data: Annotated[Path, "Folder of the data set as published, or one that holds it."],
    model: ModelName = "small",
    out: Annotated[Path | None, "JSON file for the result, over what is there."] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Measure a network on a published test set, in the numbers that papers report.

    300w-common, 300w-challenging, 300w-full, cofw68, infanface or wflw. Once in the tight box of
    the true points, in one pass, as papers do; once end to end, as `facedots predict` does, with
    RetinaFace's boxes.
    """
    from facedots.detection.retinaface import RetinaFace
    from facedots.evaluation.benchmarks import BENCHMARKS
    from facedots.inference.predictor import KeypointPredictor
    from facedots.inference.weights import weights_file
    from facedots.io.result_files import RecordFile
    from facedots.io.text import json_line

    chosen, file = BENCHMARKS[test_set], weights_file(model)
    faces = chosen.load(data)
    if len(faces) != chosen.faces:
        echo(f"{data}: {len(faces)} faces, not the {chosen.faces} published", err=True)
    runs = {
        "ground-truth": (KeypointPredictor(file, refine=0, providers=device), None),
        "retinaface": (KeypointPredictor(file, providers=device), RetinaFace(providers=device)),
    }
    # Opened first, since minutes of measuring would be lost where it cannot be written.
    with RecordFile(out) if out else contextlib.nullcontext() as result:
        boxes = {name: _measure(faces, name, *run) for name, run in runs.items()}
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        network = {"model": model, "weights_sha256": digest, "published_faces": chosen.faces}
        if result:
            result.write(json_line({"benchmark": test_set.value, **network, "boxes": boxes}))
        table = Table("boxes", *boxes, title=f"{model} on {chosen.title}")
        for measure in boxes["ground-truth"]:
            values = [each.get(measure) for each in boxes.values()]
            table.add_row(measure, *("–" if value is None else f"{value:g}" for value in values))
        Console(highlight=False, emoji=False).print(table)


def _measure(
    faces: "list[FaceAnnotation]",
    boxes: str,
    predictor: "KeypointPredictor",
    detector: "Detector | None",
) -> dict[str, Any]:
    """What papers report of these faces. Those that were skipped are told, but once: they are the
    same with and without a detector.
    """
    from facedots.evaluation.benchmarks import published_measures
    from facedots.evaluation.protocol import evaluate

    console = Console(stderr=True, highlight=False)
    shown = track(faces, f"measuring, boxes: {boxes}", console=console, transient=True)
    evaluation = evaluate(predictor, shown, detector)
    for face, reason in evaluation.skipped if detector else ():
        echo(f"skipped {face}: {reason}", err=True)
    return published_measures(evaluation)
