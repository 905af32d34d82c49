"""Faces as JSON, CSV, JSON lines and Parquet: one contract, described in docs/results.md.

The JSON document is described by ``results.schema.json`` in this folder. Tables have a row per face
in the columns of :class:`FaceColumns`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from facedots.errors import ShapeError
from facedots.geometry import Floats
from facedots.io.text import csv_cell, csv_line, json_line
from facedots.schema import PUPILS, KeypointSchema
from facedots.types import Face, ImageResult
from facedots.uncertainty import sigma_of

SCHEMA_VERSION = 1
"""Version of the contract; it grows when a field or a column changes its meaning or goes."""

JSON_SCHEMA = Path(__file__).with_name("results.schema.json")
"""The JSON Schema of the document and of a line of JSON lines."""

Row = list[int | float | str | None]
Extra = Mapping[str, Callable[[Face], Any]]
"""Further fields of a face: name -> what gives the value."""

_COVARIANCE = ("covariance_xx", "covariance_xy", "covariance_yy")
_PUPILS = tuple(f"pupil_{name}_{i}" for name in ("x", "y", "sigma") for i in range(PUPILS.count))
_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
_TRANSLATION = ("translation_x", "translation_y", "translation_z")
_GAZE = ("yaw", "pitch", "sigma")
_EYES = (*(f"gaze_{name}" for name in _GAZE), *(f"gaze_{n}_{i}" for n in _GAZE for i in (0, 1)))
_POSE = ("yaw", "pitch", "roll", *_TRANSLATION, "reprojection_error")

_POINT_VALUES: dict[str, Callable[[Face], list[float]]] = {
    "x": lambda face: face.points[:, 0].tolist(),
    "y": lambda face: face.points[:, 1].tolist(),
    "sigma": lambda face: face.sigma.tolist(),
    "confidence": lambda face: face.confidence.tolist(),
}


def results_document(
    results: Iterable[ImageResult],
    schema: KeypointSchema,
    model: str,
    extra: Extra | None = None,
    *,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The results document (docs/results.md) as plain values for JSON; ``extra`` are fields of each
    face to add to those of :meth:`Face.to_dict <facedots.types.Face.to_dict>`, or to replace
    them; ``options`` what else the results depend on.

    Raises:
        ShapeError: A face has other points than the schema.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "schema": schema.name,
        "point_names": schema.names,
        "model": model,
        **({} if options is None else {"options": options}),
        "images": [_fields_in_schema(result, schema, extra) for result in results],
    }


def _fields_in_schema(
    result: ImageResult, schema: KeypointSchema, extra: Extra | None
) -> dict[str, Any]:
    for face in result.faces:
        _check_schema(face, schema)
    return image_fields(result, extra)


def _check_schema(face: Face, schema: KeypointSchema) -> None:
    """Points are told apart by their names; older networks may know fewer regions of them."""
    if face.schema.names != schema.names:
        found = f"{face.schema.name} ({face.schema.count} points)"
        raise ShapeError(f"a face of the schema {found}, not {schema.name} ({schema.count} points)")


def image_fields(result: ImageResult, extra: Extra | None = None) -> dict[str, Any]:
    """An image of the results document; ``extra`` as in :func:`results_document`."""
    more = (extra or {}).items()
    faces = [face.to_dict() | {key: value(face) for key, value in more} for face in result.faces]
    size = {"width": result.width, "height": result.height}
    return {"source": result.source, **size, "faces": faces}


def to_json(
    results: Iterable[ImageResult], schema: KeypointSchema, model: str, extra: Extra | None = None
) -> str:
    """The :func:`results_document`, which see for the errors, as one line of JSON."""
    return json_line(results_document(results, schema, model, extra))


@dataclass(frozen=True)
class FaceColumns:
    """The columns of a table of faces, and the values of a face in them. The names and the order of
    the first ones are OpenFace's, whose readers therefore read these tables.

    Attributes:
        schema: Meaning of the points.
        points: Whether to list x, y, sigma and confidence of each point.
        timestamp: Whether to list the time of the frame, in seconds.
        pose: Whether to list the box and the head pose; with the pupils, also the gaze.
        covariance: Whether to list the covariance of each point.
        visibility: Whether to list the visibility of each point.
        pupils: Whether to list x, y and sigma of the pupils.
        signals: Expression signals to list, by name.
        emotions: Emotions whose probability to list, by name.
        extra: Further text columns: name -> what gives the text.

    Example:
        >>> from facedots.schema import IBUG68
        >>> FaceColumns(IBUG68).names[:6]
        ['frame', 'face_id', 'confidence', 'success', 'x_0', 'x_1']
    """

    schema: KeypointSchema
    points: bool = True
    timestamp: bool = False
    pose: bool = False
    covariance: bool = False
    visibility: bool = False
    pupils: bool = False
    signals: Sequence[str] = ()
    emotions: Sequence[str] = ()
    extra: Extra = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        """The columns in their order."""
        time = ["timestamp"] if self.timestamp else []
        values = [name for names, _, _ in self._groups for name in names]
        head = ["frame", "face_id", *time, "confidence", "success"]
        return [*head, *values, *self.extra, "source"]

    @cached_property
    def fields(self) -> set[str]:
        """The fields of a face in JSON that older versions or other networks may have left out."""
        optional = ("pose", "emotions", "visibility", "pupils")
        return {name for name in optional if getattr(self, name)} | {*self.extra}

    @cached_property
    def types(self) -> dict[str, str]:
        """The type of each column as pyarrow calls it."""
        types = dict.fromkeys(self.names, "float64")
        types |= dict.fromkeys(("frame", "face_id", "success"), "int64")
        return types | dict.fromkeys((*self.extra, "source"), "string")

    def row(
        self, frame: int, face_id: int | None, face: Face | None, source: str, time: float = 0.0
    ) -> Row:
        """The values of one face, or of a frame without a face, in the order of the columns.

        Numbers are rounded as docs/results.md says; missing values are ``None``.

        Raises:
            ShapeError: The face has other points than the schema.
        """
        if face:
            _check_schema(face, self.schema)
        score = float(face.score) if face else 0.0
        seconds = [_finite(time, 6)] if self.timestamp else []
        row: Row = [frame, face_id, *seconds, _finite(score, 4), int(face is not None)]
        for names, digits, read in self._groups:
            values = read(face) if face else [math.nan] * len(names)
            row += [_finite(value, digits) for value in values]
        row += [value(face) if face else None for value in self.extra.values()]
        return [*row, source]

    def cells(self, row: Row) -> list[int | str | None]:
        """A row for CSV: each number with all its decimals, text as :func:`csv_cell` has it."""
        cells: list[int | str | None] = []
        for name, value in zip(self.names, row, strict=True):
            if isinstance(value, float):
                cells.append(f"{value:.{self._decimals[name]}f}")
            else:
                cells.append(csv_cell(value) if isinstance(value, str) else value)
        return cells

    @cached_property
    def _groups(self) -> list[tuple[Sequence[str], int, Callable[[Face], list[float]]]]:
        """Names, decimals and values of the columns of numbers."""
        groups: list[tuple[Sequence[str], int, Callable[[Face], list[float]]]] = []
        if self.points:
            groups += [
                ([f"{name}_{i}" for i in range(self.schema.count)], 2, read)
                for name, read in _POINT_VALUES.items()
            ]
        if self.covariance:
            names = [f"{name}_{i}" for name in _COVARIANCE for i in range(self.schema.count)]
            groups.append((names, 4, _covariance_values))
        if self.visibility:
            names = [f"visibility_{i}" for i in range(self.schema.count)]
            groups.append((names, 4, lambda face: _values(face.visibility, self.schema.count)))
        if self.pupils:
            groups.append((_PUPILS, 2, _pupil_values))
        if self.pose:
            groups += [(_BOX, 2, lambda face: face.box.tolist()), (_POSE, 4, _pose_values)]
        if self.pose and self.pupils:
            groups.append((_EYES, 2, _gaze_values))
        groups.append((self.signals, 4, lambda face: _by_name(face.signals, self.signals)))
        columns = [f"emotion_{name}" for name in self.emotions]
        return [*groups, (columns, 4, lambda face: _by_name(face.emotions, self.emotions))]

    @cached_property
    def _decimals(self) -> dict[str, int]:
        """Decimals of each column of floating-point numbers."""
        groups = {name: digits for names, digits, _ in self._groups for name in names}
        return groups | {"confidence": 4, "timestamp": 6}


def _by_name(values: Mapping[str, float] | None, names: Sequence[str]) -> list[float]:
    return [float((values or {}).get(name, math.nan)) for name in names]


def _finite(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _covariance_values(face: Face) -> list[float]:
    """All xx, then all xy, then all yy."""
    return face.covariance[:, [0, 0, 1], [0, 1, 1]].T.ravel().tolist()


def _pupil_values(face: Face) -> list[float]:
    spread = face.pupils_covariance
    sigma = None if spread is None else sigma_of(spread)
    places = None if face.pupils is None else face.pupils.T
    return [*_values(places, 4), *_values(sigma, 2)]


def _values(array: Floats | None, count: int) -> list[float]:
    """The values of an array, or so many missing ones."""
    return [math.nan] * count if array is None else array.ravel().tolist()


def _pose_values(face: Face) -> list[float]:
    pose = face.pose
    if pose is None:
        return [math.nan] * len(_POSE)
    angles = (float(pose.yaw), float(pose.pitch), float(pose.roll))
    return [*angles, *pose.translation.tolist(), float(pose.reprojection_error)]


def _gaze_values(face: Face) -> list[float]:
    """Of both eyes together, then each value of the right and the left one."""
    gaze = face.gaze
    if gaze is None:
        return [math.nan] * len(_EYES)
    eyes = (gaze.right_eye, gaze.left_eye)
    together = [getattr(gaze, name) for name in _GAZE]
    return together + [getattr(eye, name, math.nan) for name in _GAZE for eye in eyes]


def to_csv(
    results: Iterable[ImageResult], schema: KeypointSchema, columns: FaceColumns | None = None
) -> str:
    """One CSV table with a row per face, by default in the columns that the faces fill: of points
    and, where a face has them, of visibility and pupils.

    ``frame`` counts the images from 1, ``face_id`` the faces of an image from 0. An image without a
    face has one row with ``success`` 0. What is missing is empty. Whole covariances are in the JSON
    only.

    Raises:
        ShapeError: A face has other points than the schema.
    """
    results = list(results)
    columns = columns or filled_columns(results, schema)
    frames = (csv_rows(columns, frame, result) for frame, result in enumerate(results, start=1))
    return "".join([csv_line(columns.names), *frames])


def filled_columns(results: Sequence[ImageResult], schema: KeypointSchema) -> FaceColumns:
    """The columns of points and, where any of the faces has them, of visibility and pupils."""
    faces = [face for result in results for face in result.faces]
    return FaceColumns(
        schema,
        visibility=any(face.visibility is not None for face in faces),
        pupils=any(face.pupils is not None for face in faces),
    )


def table_rows(columns: FaceColumns, frame: int, result: ImageResult) -> list[Row]:
    """The rows of one image: one for each face, or one without a face."""
    faces: Sequence[Face | None] = result.faces or [None]
    return [columns.row(frame, i, face, result.source) for i, face in enumerate(faces)]


def csv_rows(columns: FaceColumns, frame: int, result: ImageResult) -> str:
    """The lines of CSV of one image."""
    return "".join(csv_line(columns.cells(row)) for row in table_rows(columns, frame, result))
