"""Measure a network on labeled faces, in images as stored, in the true box or a detector's."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from facedots.annotations.base import FaceAnnotation
from facedots.annotations.load import ReadOptions
from facedots.annotations.packs import is_pack
from facedots.annotations.schemas import SCHEMA_FILE, schema_beside
from facedots.annotations.visibility import seen_points
from facedots.data.splits import CUSTOM, Split, detect_sources, load_split
from facedots.detection.base import Detections, Detector
from facedots.errors import DataError, ImageError
from facedots.evaluation import result
from facedots.evaluation.context import GROUND_TRUTH, WHOLE_IMAGE, EvalContext
from facedots.evaluation.mean_face import mean_face_errors
from facedots.evaluation.metrics import norm_distances
from facedots.evaluation.result import Evaluation
from facedots.evaluation.slices import ATTRIBUTES, face_attributes
from facedots.geometry import Floats, Image, Matrix, box_iou, spans_box, tight_boxes
from facedots.inference.predictor import KeypointPredictor
from facedots.inference.weights import ONNX_FILE, RECIPE_FILE, WEIGHTS, weights_file
from facedots.io.images import read_image
from facedots.io.yaml_files import read_yaml
from facedots.runtime import Providers
from facedots.schema import KeypointSchema
from facedots.spec import Predictor
from facedots.types import Keypoints

MIN_IOU = 0.3
"""A face whose best-scored detection has a lower IoU with its tight box counts as missed."""


def evaluate(
    predictor: Predictor,
    annotations: Iterable[FaceAnnotation],
    detector: Callable[[Image], Detections] | None = None,
) -> Evaluation:
    """Predict the points of labeled faces.

    With a detector the test is end to end: the network gets the detector's best-scored box, or its
    tilted square where the detector measures one. No box, or one with an IoU below :data:`MIN_IOU`
    with the face's tight box, is a missed face, which counts as a failure.

    A face is skipped, with the reason, where its image cannot be read or its labels give no scale
    (a point of the ``norm_pair`` is missing) or no box. Without a detector, the tight boxes of the
    true points are used. Images are read one after the other.

    Raises:
        DataError: No face could be measured, or the labels do not have the network's schema.
    """
    spec = predictor.spec
    faces: list[FaceAnnotation] = []
    measured: list[_Measured] = []
    skipped: list[tuple[str, str]] = []
    for annotation in annotations:
        try:
            reason = _unmeasurable(annotation, spec.schema)
            if not reason:
                measured.append(_measure(predictor, annotation, detector))
                faces.append(annotation)
        except ImageError as error:
            reason = str(error)
        if reason:
            skipped.append((annotation.name, reason))
    if not measured:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
        reasons = reasons or "there are no annotations"
        raise DataError(f"none of {len(skipped)} faces could be measured: {reasons}")
    boxes = WHOLE_IMAGE if spec.crop.mode == "frame" else GROUND_TRUTH
    keypoints, squares, attributes, visible = zip(*measured, strict=True)
    true_pupils = [None if face.pupils is None else face.pupils[None] for face in faces]
    hidden_labeled = any(face.visible is not None for face in faces)
    return Evaluation(
        name=spec.name,
        schema=spec.schema,
        names=tuple(face.name for face in faces),
        groups=tuple(face.group for face in faces),
        images=tuple(face.image for face in faces),
        true=np.stack([face.points for face in faces]),
        predicted=np.concatenate([of.points for of in keypoints]),
        covariance=np.concatenate([of.covariance for of in keypoints]),
        confidence=np.concatenate([of.confidence for of in keypoints]),
        score=np.concatenate([of.score for of in keypoints]),
        squares=np.stack(squares),
        attributes={a.name: np.array([of[a.name] for of in attributes]) for a in ATTRIBUTES},
        skipped=tuple(skipped),
        dof=spec.dof,
        context=EvalContext(type(detector).__name__.lower() if detector else boxes),
        visible=np.stack(visible) if hidden_labeled else None,
        visibility=_joined([of.visibility for of in keypoints]),
        pupils=_joined([of.pupils for of in keypoints]),
        pupils_covariance=_joined([of.pupils_covariance for of in keypoints]),
        true_pupils=_joined(true_pupils),
    )


def evaluate_split(
    weights: str | Path,
    data: str | Path,
    split: str | None = None,
    sources: Sequence[str] = (),
    detector: Detector | None = None,
    *,
    options: ReadOptions | None = None,
    providers: Providers = "cpu",
    progress: bool = False,
) -> Evaluation:
    """Measure a network on the test faces of a split, as ``facedots evaluate`` does. There is no
    baseline where no faces are for training.

    Args:
        weights: A name from ``facedots models``, an ``.onnx`` file, or the folder of a run, whose
            log is read too.
        data: Folder with the data, or ``synthetic:N`` for N drawn faces.
        split: One of :data:`facedots.data.splits.SPLITS`. By default ``official``; but all faces of
            custom data without test faces, where the network is one that comes with facedots,
            since that has seen none of them.
        sources: Data sets in the folder; by default, those found in it.
        detector: See :func:`evaluate`.
        options: How to read the labels. Their points are the network's, in its order; those that a
            ``schema.yaml`` beside the data calls as the network does, in any order.
        providers: The hardware, as for :class:`~facedots.inference.session.Session`.
        progress: Show a progress bar on stderr.

    Raises:
        FacedotsError: There are no such weights or data, or no face could be measured.
    """
    synthetic = str(data).startswith("synthetic:")
    sources = () if synthetic else tuple(sources or detect_sources(data))
    file = weights_file(str(weights))
    predictor = KeypointPredictor(file, refine=0, providers=providers)
    faces = _with_points(
        predictor.spec.schema, data, sources, split or "official", options or ReadOptions()
    )
    test, measured = faces.test, "synthetic" if synthetic else split or "official"
    if faces.by_hash and split is None and str(weights) in WEIGHTS:
        test, measured = [*faces.train, *faces.validation, *test], "all"
    console, label = Console(stderr=True, highlight=False), f"measuring {weights}"
    shown = track(test, label, console=console, transient=True, disable=not progress)
    evaluation = evaluate(predictor, shown, detector)
    context = EvalContext(
        boxes=evaluation.context.boxes,
        data=str(data),
        sources=sources,
        split=measured,
        weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        trained_split=predictor.card.split,
        label_style=predictor.card.style,
        run_styles=_run_styles(Path(weights)),
        face_styles=tuple(sorted({face.label_style for face in test} - {""})),
    )
    baseline = mean_face_errors(faces.train, predictor.spec.crop, evaluation)
    log = Path(weights) / result.METRICS_FILE
    history = result.training_history(log) if log.is_file() else {}
    name = _network_name(weights)
    return replace(evaluation, name=name, context=context, baseline=baseline, history=history)


def _network_name(weights: str | Path) -> str:
    """What tells a network from others: its name, that of its file, or of the run's folder."""
    path = Path(weights).resolve()
    if path.suffix.lower() != ".onnx":
        return path.name
    return path.parent.name if path.name == ONNX_FILE else path.stem


def _with_points(
    schema: KeypointSchema,
    data: str | Path,
    sources: tuple[str, ...],
    split: str,
    options: ReadOptions,
) -> Split:
    """A split with the points of a schema: those that a ``schema.yaml`` calls so; without one, all
    in the order of the labels.
    """
    stated = None
    if sources == (CUSTOM,) and not is_pack(data):
        stated = schema_beside(data, options.images)
    faces = load_split(data, sources, split, options=replace(options, schema=stated or schema))
    own = faces.schema
    if own.names == schema.names:
        return faces
    if missing := [name for name in schema.names if name not in own.names]:
        few = f"{', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}"
        raise DataError(
            f"{data}: the labels are {own.count} points of the schema {own.name}, but the network "
            f"predicts {schema.count} of {schema.name}: measure a network that was trained on "
            f"{own.name}; or, where all these are among the labels, name them so in "
            f"{SCHEMA_FILE}: {few}"
        )
    order = [own.names.index(name) for name in schema.names]

    def picked(face: FaceAnnotation) -> FaceAnnotation:
        visible = None if face.visible is None else face.visible[order]
        return replace(face, points=face.points[order], visible=visible)

    parts = (faces.train, faces.validation, faces.test)
    train, validation, test = ([picked(face) for face in part] for part in parts)
    return Split(train, validation, test, schema, faces.by_hash)


def _run_styles(weights: Path) -> tuple[str, ...]:
    """The sources in the recipe of a run's folder; none of other weights."""
    recipe = weights / RECIPE_FILE
    fields = read_yaml(recipe, DataError) if recipe.is_file() else {}
    sources = fields.get("sources") if isinstance(fields, dict) else None
    return tuple(map(str, sources)) if isinstance(sources, list) else ()


_Measured = tuple[Keypoints, Matrix, Mapping[str, float], Floats]
"""The keypoints of one face and the square (center x, center y, side) that the network saw, NaN
where missed; the attributes of the face; and which points its labels say are seen.
"""


def _measure(
    predictor: Predictor, annotation: FaceAnnotation, detector: Callable[[Image], Detections] | None
) -> _Measured:
    spec, image = predictor.spec, read_image(annotation.image, orient=False)
    attributes = face_attributes(image, annotation.points, spec.schema)
    visible = seen_points(annotation, *image.shape[:2])
    box, tilted = tight_boxes(annotation.points[None]), None
    if detector is not None:
        box, tilted = _best_box(detector(image), box)
    if not len(box):
        return _missing(spec.schema), np.full(3, np.nan), attributes, visible
    square = spec.crop.crop_squares(box, (image.shape[0], image.shape[1]))[0]
    if tilted is not None and spec.crop.mode == "box" and np.isfinite(tilted).all():
        square = tilted[0, :3] * (1, 1, spec.crop.scale)
    return predictor.predict(image, box, tilted), square, attributes, visible


def _missing(schema: KeypointSchema) -> Keypoints:
    """NaN in place of a missed face's keypoints."""
    nan = np.full((1, schema.count, 2, 2), np.nan, np.float32)
    return Keypoints(nan[..., 0], nan, nan[..., 0, 0], nan[:, 0, 0, 0], schema)


def _joined(rows: Sequence[Floats | None]) -> Floats | None:
    """Rows ``(1, …)`` of N faces as one array, NaN for ``None``; ``None`` where all rows are."""
    known = next((row for row in rows if row is not None), None)
    if known is None:
        return None
    return np.concatenate([np.full_like(known, np.nan) if row is None else row for row in rows])


def _unmeasurable(annotation: FaceAnnotation, schema: KeypointSchema) -> str:
    """Why a face cannot be measured; empty where it can."""
    if annotation.points.shape != (schema.count, 2):
        counts = f"{len(annotation.points)} points, but the network predicts {schema.count}"
        raise DataError(f"{annotation.name}: {counts} ({schema.name})")
    if np.isnan(norm_distances(annotation.points[None], schema)).any():
        return "the two points that scale the error are not both labeled, or coincide"
    on_line = "the labeled points are on one line: no box"
    return "" if spans_box(annotation.points) else on_line


def _best_box(detections: Detections, true_box: Floats) -> tuple[Floats, Floats | None]:
    """The best-scored box ``(1, 4)`` and its tilted square, if any; ``(0, 4)`` if there is no box
    or it is not on the labeled face.
    """
    best = np.argsort(-detections.scores, kind="stable")[:1]
    best = best[box_iou(detections.boxes[best], true_box)[:, 0] >= MIN_IOU]
    squares = detections.squares
    return detections.boxes[best], None if squares is None else squares[best]
