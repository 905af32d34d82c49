"""From the bytes of an image to its part of the answer: what the compute thread does."""

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import lru_cache
from time import monotonic
from typing import Any

import cv2
import numpy as np

from facedots.analysis.align import Template, align_face
from facedots.analysis.analyzer import FaceAnalyzer
from facedots.batch.images import check_finite
from facedots.errors import FacedotsError, ImageError, MissingExtra, PointsError, ShapeError
from facedots.geometry import Image, check_boxes
from facedots.inference.predictor import KeypointPredictor
from facedots.io.headers import header_size
from facedots.io.images import decode_image
from facedots.io.results import Extra, image_fields, results_document
from facedots.io.text import json_line
from facedots.pipeline import Pipeline
from facedots.pipeline_options import PipelineOptions
from facedots.plots.draw import draw_faces
from facedots.schema import check_ibug68
from facedots.service.limits import Form
from facedots.service.metrics import FACES, IMAGES
from facedots.service.problems import Problem
from facedots.service.requests import BatchOptions, Boxes, FaceOptions, FindOptions, ImageOptions
from facedots.service.settings import ServiceSettings
from facedots.tracking.tracker import Tracker
from facedots.types import Face, ImageResult

_OPEN = 16
"""Pairs of a network and a detector that stay open, one for each choice of options."""
_ALIGNED_PIXELS, _DRAWN_SIDE = 2_000_000, 2048
"""Most pixels of all the aligned faces of an image, and the longest side of a drawn one: answers
wait in memory for clients that read slowly.
"""
_MEASURES = ("pose", "signals", "emotions")
"""The fields of a face that are measured where a request asks for them."""
_OF_IBUG68 = (*_MEASURES, "aligned")
"""The options that know what the points of iBUG mean."""
GIVEN_BOXES = "boxes"
"""The detector of an answer to a request with boxes."""


class RequestHandler:
    """Answers requests with networks that are opened once; not for several threads at a time.

    Attributes:
        description: The networks, detectors, defaults and limits, as plain values.

    Raises:
        WeightsError: A network of the settings is unknown, or its file is missing or damaged.

    Example:
        >>> handler = RequestHandler(ServiceSettings())
        >>> handler.pipeline(FindOptions()).predictor.spec.schema.name
        'ibug68'
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._networks, self._limits = settings.networks, settings.limits
        self._files = settings.model_files
        self._open = lru_cache(_OPEN)(PipelineOptions.load)
        self._detectors = ["retinaface", "finder", "haar", "single-object"]
        self._file_of = "finder" if settings.networks.detector == "finder" else "yunet"
        if settings.networks.detector_file and self._file_of == "yunet":
            self._detectors.append("yunet")
        self.description = self._describe()

    def pipeline(self, options: FindOptions) -> Pipeline:
        """The networks that a request asks for.

        Raises:
            Problem: The server has no such network or detector, or it cannot be used so (422).
        """
        chosen = self._chosen(options)
        try:
            opened = self._open(chosen)
        except FacedotsError as error:
            detail = str(error).replace(chosen.model, self._name(options))
            raise Problem(422, detail) from error
        for asked in (name for name in _OF_IBUG68 if getattr(options, name, None)):
            with _explained():
                check_ibug68(opened.predictor.spec.schema, self._name(options), asked)
        most = min(options.max_faces or self._limits.max_faces, self._limits.max_faces)
        return Pipeline(opened.detector, opened.predictor, most)

    def answer(self, form: Form, options: FaceOptions) -> str:
        """The results document of one image as JSON, as ``facedots predict --json`` writes it."""
        (upload,) = form.uploads
        source = options.source or upload.name or "image"
        image = self._image(upload.data, source, options, options.boxes)
        return json_line(self._document(options, [image], detects=options.boxes is None))

    def answer_batch(self, form: Form, options: BatchOptions, until: float) -> str:
        """The same of several images; ``problems`` has those of which nothing is known, by their
        index.

        Raises:
            TimeoutError: The time ``until``, in seconds of ``monotonic()``, has come.
        """
        images, problems = list[dict[str, Any]](), list[dict[str, Any]]()
        boxes = options.boxes or [None] * len(form.uploads)
        for i, (upload, given) in enumerate(zip(form.uploads, boxes, strict=True)):
            if monotonic() > until:
                raise TimeoutError
            source = upload.name or f"image {i}"
            try:
                images.append(self._image(upload.data, source, options, given))
            except Problem as problem:
                problems.append({"index": i, "source": source, **problem.document})
        document = self._document(options, images, detects=options.boxes is None)
        return json_line(document | {"problems": problems})

    def tracker(self, options: FindOptions) -> Tracker:
        """For the frames of one stream; raises as :meth:`pipeline` does."""
        pipeline = self.pipeline(options)
        return Tracker(pipeline.detector, pipeline.predictor, max_faces=pipeline.max_faces)

    def answer_frame(
        self, tracker: Tracker, data: bytes, number: int, time: float, options: FindOptions
    ) -> str:
        """An image of the results document as JSON, with ``frame`` and ``time``; raises
        :class:`Problem` as an image does.
        """
        pixels = self._decode(data)
        with _explained():
            faces = tracker(pixels, time)
        faces = self._analyzed(pixels, faces, options)
        result = ImageResult(f"frame {number}", pixels.shape[1], pixels.shape[0], faces)
        return json_line({"frame": number, "time": round(time, 3), **image_fields(result)})

    def _describe(self) -> dict[str, Any]:
        models = []
        for name, file in self._files.items():
            predictor = self._open(replace(self._networks, model=file)).predictor
            spec, card = predictor.spec, predictor.card
            facts: dict[str, Any] = {"name": name, "title": card.title, "schema": spec.schema.name}
            facts |= {"points": spec.schema.count, "input_size": spec.input_size}
            models.append(facts | {"weights_license": card.license, "note": card.note})
        default = {"model": self._name(FindOptions()), **_recorded(self._networks)}
        lists = {"models": models, "detectors": self._detectors}
        return lists | {"default": default, "limits": asdict(self._limits)}

    def _document(
        self, options: FindOptions, images: Sequence[dict[str, Any]], detects: bool
    ) -> dict[str, Any]:
        schema = self.pipeline(options).predictor.spec.schema
        recorded = _recorded(self._chosen(options)) | ({} if detects else {"detector": GIVEN_BOXES})
        document = results_document([], schema, self._name(options), options=recorded)
        return document | {"images": images}

    def _image(
        self, data: bytes, source: str, options: ImageOptions, boxes: Boxes | None
    ) -> dict[str, Any]:
        """An image of the document, or a :class:`Problem`."""
        pixels = self._decode(data)
        faces = self._analyzed(pixels, self._found(pixels, options, boxes), options)
        extra: Extra = {}
        if size := options.aligned:
            if len(faces) * size**2 > _ALIGNED_PIXELS:
                detail = f"{len(faces)} faces aligned to {size} x {size} pixels are too many"
                raise Problem(413, detail, limit=("aligned-pixels", _ALIGNED_PIXELS))
            extra = {"aligned": lambda face: _aligned(pixels, face, size, options.template)}
        result = ImageResult(source, pixels.shape[1], pixels.shape[0], faces)
        fields = image_fields(result, extra)
        if options.drawn:
            fields["drawn"] = _data_uri(_reduced(draw_faces(pixels, faces)), ".jpg")
        return fields

    def _decode(self, data: bytes) -> Image:
        size, most = header_size(io.BytesIO(data)), self._limits.max_pixels
        if size and size[0] * size[1] > most:
            detail = f"the image has {size[0]} x {size[1]} pixels; the limit is {most}"
            raise Problem(413, detail, limit=("max-pixels", most))
        try:
            with _explained():
                return decode_image(data, source="the body", max_pixels=most)
        except MissingExtra as error:
            raise Problem(415, "this server does not read HEIC; send JPEG") from error

    def _found(self, image: Image, options: FindOptions, boxes: Boxes | None) -> list[Face]:
        pipeline = self.pipeline(options)
        with _explained():
            if boxes is None:
                return pipeline(image)
            return self._in_boxes(pipeline.predictor, image, boxes)

    def _analyzed(self, image: Image, faces: list[Face], options: FindOptions) -> list[Face]:
        """The faces with the head pose, gaze, signals and emotions that are asked for."""
        IMAGES.inc()
        FACES.inc(len(faces))
        left_out: dict[str, Any] = {name: None for name in _MEASURES if not getattr(options, name)}
        with _explained():
            check_finite(faces)
            if len(left_out) < len(_MEASURES):
                faces = FaceAnalyzer()(image, faces)
        if not options.pose:
            left_out["gaze"] = None
        return [replace(face, **left_out) for face in faces]

    def _in_boxes(self, predictor: KeypointPredictor, image: Image, boxes: Boxes) -> list[Face]:
        most = self._limits.max_faces
        if len(boxes) > most:
            detail = f"{len(boxes)} boxes; the limit of an image is {most}"
            raise Problem(413, detail, limit=("max-faces", most))
        try:
            corners = check_boxes(boxes)
        except ValueError as error:
            raise Problem(422, f"boxes: {error}") from error
        return predictor.predict(image, corners).faces(corners)

    def _name(self, options: FindOptions) -> str:
        return options.model or next(iter(self._files))

    def _chosen(self, options: FindOptions) -> PipelineOptions:
        name = self._name(options)
        if name not in self._files:
            raise Problem(422, f"model: this server has {', '.join(self._files)}, not {name}")
        if options.detector and options.detector not in self._detectors:
            raise Problem(422, f"detector: this server has no file of {options.detector}")
        fields = ("detector", "search", "min_face", "any_angle", "refine")
        asked = {field: getattr(options, field) for field in fields}
        given = {field: value for field, value in asked.items() if value is not None}
        chosen = replace(self._networks, model=self._files[name], **given)
        takes_file = chosen.detector == self._file_of
        return chosen if takes_file else replace(chosen, detector_file=None)


@contextmanager
def _explained() -> Iterator[None]:
    """Let what does not fit an image be a problem of its client (422); other errors stay."""
    try:
        yield
    except (ImageError, PointsError, ShapeError) as error:
        raise Problem(422, str(error)) from error


def _recorded(networks: PipelineOptions) -> dict[str, Any]:
    """What results depend on, without the place of a file on the server."""
    file = networks.detector_file
    return networks.recorded | {"detector-file": file and file.name}


def _aligned(image: Image, face: Face, size: int, template: Template) -> dict[str, Any] | None:
    """A face upright in a square; none where its points do not say how."""
    with suppress(PointsError):
        crop = align_face(image, face, size, template)
        square = {"template": template, "size": size, "matrix": crop.matrix.round(6).tolist()}
        return square | {"image": _data_uri(crop.image, ".png")}
    return None


def _reduced(image: Image) -> Image:
    zoom = _DRAWN_SIDE / max(image.shape[:2])
    if zoom >= 1:
        return image
    reduced = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.uint8)


def _data_uri(image: Image, suffix: str) -> str:
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    kind = {".png": "png", ".jpg": "jpeg"}[suffix]
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}"
