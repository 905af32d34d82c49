"""What Label Studio asks of an ML backend: does this network fit a project, and predictions."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from facedots.annotations.label_studio import prediction
from facedots.annotations.labeling_interface import LabelingInterface, parse_interface
from facedots.errors import DataError, FacedotsError
from facedots.inference.session import describe_model
from facedots.io.text import printable
from facedots.labeling.task_images import TaskImages
from facedots.pipeline import Pipeline
from facedots.types import ImageResult

LOG = logging.getLogger("facedots")

MAX_SECONDS = 80.0
"""Time for one request; Label Studio waits 100 s."""


class LabelStudioBackend:
    """Answers the requests of Label Studio's protocol for ML backends, without the HTTP.

    Args:
        pipeline: Finds the faces.
        images: Reads the images of tasks.
        model: The network of the pipeline: a name, a path, or a run.
        clock: Seconds of a clock that never goes back.

    Attributes:
        version: Name and hash of the network: what Label Studio tells predictions apart by.

    Example:
        >>> backend = LabelStudioBackend(Pipeline(), TaskImages(Path("photos")), "small")
        >>> backend.version.split()[:2]
        ['facedots', 'small']
    """

    def __init__(
        self,
        pipeline: Pipeline,
        images: TaskImages,
        model: str | Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        facts = describe_model(model)
        self.version = f"facedots {facts['name']} {facts['sha256'][:8]}"
        self._pipeline, self._images, self._clock = pipeline, images, clock

    def setup(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer to the connection of a project, whose labeling interface is ``schema``.

        Raises:
            DataError: The interface has no labels for the network's points.
        """
        self._interface(request, "schema")
        return {"model_version": self.version}

    def validate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The same for a labeling interface that is about to be saved, ``config``."""
        self._interface(request, "config")
        return {"status": "ok"}

    def predictions(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The predictions of the ``tasks``, in their order, for the interface ``label_config``;
        each is made when it is asked for.

        A task whose image cannot be read has an ``error`` instead, and so have those for which no
        time is left; Label Studio leaves them without a prediction, and asks for it again.

        Raises:
            DataError: The request is not one of Label Studio's, or the interface does not fit.
        """
        interface = self._interface(request, "label_config")
        tasks = request.get("tasks")
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise DataError("'tasks' is not a list of tasks")
        end = self._clock() + MAX_SECONDS
        return (self._prediction(task, interface, end) for task in tasks)

    def _interface(self, request: Mapping[str, Any], field: str) -> LabelingInterface:
        config = request.get(field)
        if not isinstance(config, str):
            raise DataError(f"{field!r} is not a labeling interface")
        return parse_interface(config, self._pipeline.predictor.spec.schema)

    def _prediction(
        self, task: Mapping[str, Any], interface: LabelingInterface, end: float
    ) -> dict[str, Any]:
        where = f"task {task.get('id')}"
        try:
            if self._clock() > end:
                raise DataError(f"no time left after {MAX_SECONDS:.0f} s; ask again")
            data = task.get("data")
            reference = data.get(interface.field) if isinstance(data, dict) else None
            if not isinstance(reference, str):
                raise DataError(f"no address of an image in its field {interface.field!r}")
            image = self._images.read(reference)
            faces = self._pipeline(image)
        except FacedotsError as error:
            fault = printable(f"{where}: {error}")
            LOG.warning("%s", fault)
            return {"error": fault}
        result = ImageResult(reference, image.shape[1], image.shape[0], faces)
        return prediction(result, interface, self.version)
