"""CVAT's auto-annotation by a network of facedots, for ``cvat-sdk`` and ``cvat-cli``::

    cvat-cli task auto-annotate 42 --function-module facedots.labeling.cvat_function \
      -p model=str:small -p search=str:thorough

Parameters are the fields of :class:`~facedots.pipeline_options.PipelineOptions`. The task needs the
labels of ``cvat/labels.json``, see docs/annotating.md.
"""

from typing import Any

import cvat_sdk.auto_annotation as cvataa
import numpy as np
import PIL.Image
from cvat_sdk import models

from facedots.annotations.cvat import LABEL, SIGMA, skeleton_points
from facedots.pipeline import Pipeline
from facedots.pipeline_options import PipelineOptions
from facedots.types import Face

_FACE_ID = _SIGMA_ID = 0


class FaceFunction:
    """Finds faces as skeletons of the network's schema.

    As in the files of :func:`~facedots.annotations.cvat.to_cvat`, a missing point is ``outside``,
    in the middle of the others. ``occluded`` are the points that are likely hidden, and those whose
    confidence is below a limit, so that CVAT shows them differently.

    Args:
        pipeline: Finds the faces.
        occluded_below: The limit in [0, 1]; 0 for none.

    Attributes:
        spec: The labels, which CVAT matches with those of a task by their names.

    Example:
        >>> FaceFunction(Pipeline()).spec.labels[0].sublabels[36].name
        'right_eye_0'
    """

    def __init__(self, pipeline: Pipeline, occluded_below: float = 0.0) -> None:
        self._pipeline, self._occluded_below = pipeline, occluded_below
        names = pipeline.predictor.spec.schema.names
        elements = [cvataa.keypoint_spec(name, i) for i, name in enumerate(names)]
        sigma = cvataa.text_attribute_spec(SIGMA, _SIGMA_ID)
        face = cvataa.skeleton_label_spec(LABEL, _FACE_ID, elements, attributes=[sigma])
        self.spec = cvataa.DetectionFunctionSpec(labels=[face])

    def detect(
        self, context: cvataa.DetectionFunctionContext, image: PIL.Image.Image
    ) -> list[models.LabeledShapeRequest]:
        """The skeletons of the faces in an image; those whose score is below the caller's
        threshold are left out.
        """
        faces = self._pipeline(np.asarray(image.convert("RGB")))
        least = context.conf_threshold or 0.0
        return [
            self._skeleton(face)
            for face in faces
            if face.score >= least and np.isfinite(face.points).any()
        ]

    def _skeleton(self, face: Face) -> models.LabeledShapeRequest:
        points, labeled = skeleton_points(face)
        occluded = labeled & (face.hidden | (face.confidence < self._occluded_below))
        elements = [
            cvataa.keypoint(
                i, points[i].tolist(), outside=not labeled[i], occluded=bool(occluded[i])
            )
            for i in range(len(points))
        ]
        known = np.isfinite(face.sigma).any()
        sigma = f"{np.nanmean(face.sigma):.2f}" if known else ""
        attributes = [models.AttributeValRequest(spec_id=_SIGMA_ID, value=sigma)]
        return cvataa.skeleton(_FACE_ID, elements, attributes=attributes)


def create(occluded_below: float = 0.0, **options: Any) -> FaceFunction:
    """The function that ``cvat-cli`` loads; its parameters come from ``-p NAME=TYPE:VALUE``.

    Raises:
        WeightsError: A network is unknown.
        DataError: An option has no such value.
    """
    return FaceFunction(PipelineOptions(**options).load(), occluded_below)
