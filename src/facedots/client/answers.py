"""What a client gets: the faces of a results document, or an error with the problem's detail."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import numpy as np
from websockets.exceptions import InvalidStatus, WebSocketException

from facedots.errors import ServiceError
from facedots.geometry import Floats, Image
from facedots.head import EyeGaze, Gaze, HeadPose
from facedots.io.images import decode_image
from facedots.schema import IBUG68, PUPILS, KeypointSchema
from facedots.types import Face, ImageResult

_DEFAULT_WAIT, _LEAST_WAIT = 1.0, 0.1
_NO_ANSWER = httpx.HTTPError, httpx.InvalidURL, WebSocketException, OSError
_MISFITS = ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError
"""What reading a document of another form raises."""


@dataclass(frozen=True)
class Answer(ImageResult):
    """The faces of one image.

    Attributes:
        drawn: The image with the keypoints drawn, ``uint8 (H, W, 3)``, where asked for.
        aligned: For each face its upright crop ``uint8 (S, S, 3)``, where asked for; ``None`` where
            its points do not say how.
        time: Of a frame, in seconds since the stream began.

    Example:
        >>> Answer("image", 640, 480, []).aligned
        ()
    """

    drawn: Image | None = None
    aligned: Sequence[Image | None] = ()
    time: float | None = None


@contextmanager
def explain_failures(url: str) -> Iterator[None]:
    """Turn what goes wrong on the way, or in what comes back, into :class:`ServiceError`."""
    try:
        yield
    except InvalidStatus as error:
        problem = _read_problem(error.response.body or b"")
        raise problem_error(url, problem, error.response.status_code) from error
    except _NO_ANSWER as error:
        reason = str(error) or type(error).__name__
        raise ServiceError(f"{url}: {reason}; is `facedots serve` running there?") from error
    except _MISFITS as error:
        raise ServiceError(f"{url}: not an answer of facedots serve ({error!r})") from error


def seconds_to_wait(response: httpx.Response, patience: float) -> float | None:
    """Seconds after which a full service may be asked again; ``None`` where its answer stands, or
    they are more than ``patience``.
    """
    if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        return None
    try:
        wait = max(float(response.headers.get("Retry-After", _DEFAULT_WAIT)), _LEAST_WAIT)
    except ValueError:  # a date, as proxies send it
        wait = _DEFAULT_WAIT
    return wait if wait <= patience else None


def read_document(response: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer.

    Raises:
        ServiceError: The answer is an error.
    """
    if response.is_success:
        return dict(response.json())
    raise problem_error(str(response.url), _read_problem(response.content), response.status_code)


def _read_problem(body: bytes | bytearray) -> dict[str, Any]:
    """The problem document of an error; nothing where a proxy sent another."""
    try:
        return dict(json.loads(body))
    except (TypeError, ValueError):
        return {}


def problem_error(
    where: str, problem: Mapping[str, Any], status: int | None = None
) -> ServiceError:
    """The error of a problem document (RFC 9457)."""
    status = status or int(problem["status"])
    detail = problem.get("detail") or problem.get("title") or "an error without a reason"
    return ServiceError(f"{where}: {status}: {detail}", status, problem)


def read_answer(document: Mapping[str, Any]) -> Answer:
    """The faces of a document with one image."""
    (fields,) = document["images"]
    return read_image(fields, _schema(document))


def read_batch(document: Mapping[str, Any]) -> list[Answer | ServiceError]:
    """The faces of each image, or the error of one that could not be read, in their order."""
    schema = _schema(document)
    results: list[Answer | ServiceError] = [read_image(i, schema) for i in document["images"]]
    for problem in sorted(document["problems"], key=lambda problem: problem["index"]):
        results.insert(problem["index"], problem_error(problem["source"], problem))
    return results


def read_frame(text: str | bytes) -> Answer | ServiceError:
    """The faces of a frame of a stream, or its error."""
    fields = json.loads(text)
    if "status" in fields:
        return problem_error(f"frame {fields['frame']}", fields)
    faces = fields["faces"]
    names = [f"point_{i}" for i in range(len(faces[0]["points"]))] if faces else []
    return read_image(fields, _named_schema(faces[0]["schema"], names) if faces else IBUG68)


def read_image(fields: Mapping[str, Any], schema: KeypointSchema) -> Answer:
    """An image of the results document."""
    aligned = [face.get("aligned") for face in fields["faces"]]
    crops = [_decoded(crop["image"]) if crop else None for crop in aligned]
    return Answer(
        source=fields["source"],
        width=fields["width"],
        height=fields["height"],
        faces=[_read_face(face, schema) for face in fields["faces"]],
        drawn=_decoded(fields["drawn"]) if "drawn" in fields else None,
        aligned=crops if any(aligned) else (),
        time=fields.get("time"),
    )


def _read_face(fields: Mapping[str, Any], schema: KeypointSchema) -> Face:
    """The inverse of :meth:`Face.to_dict <facedots.types.Face.to_dict>`."""
    count, pose, signals = schema.count, fields.get("pose"), fields.get("signals")
    optional = ("visibility", "pupils", "pupils_covariance")
    visibility, pupils, spread = (fields.get(name) for name in optional)
    if pose is not None:
        pose = HeadPose(**{**pose, "translation": np.array(pose["translation"], np.float32)})
    gaze = None if fields.get("gaze") is None else _gaze(**fields["gaze"])
    if signals is not None:
        signals = {k: np.nan if value is None else value for k, value in signals.items()}
    return Face(
        points=_rows(fields["points"], count, 2),
        covariance=_covariance(fields["covariance"], count),
        confidence=_rows(fields["confidence"], count, 1)[:, 0],
        box=np.array(fields["box"], np.float32),
        score=fields["score"],
        schema=schema,
        detection_score=fields.get("detection_score"),
        track_id=fields.get("track_id"),
        pose=pose,
        signals=signals,
        emotions=fields.get("emotions"),
        visibility=None if visibility is None else _rows(visibility, count, 1)[:, 0],
        pupils=None if pupils is None else _rows(pupils, PUPILS.count, 2),
        pupils_covariance=None if spread is None else _covariance(spread, PUPILS.count),
        gaze=gaze,
    )


def _gaze(right_eye: Any, left_eye: Any, **angles: float) -> Gaze:
    right, left = (eye and EyeGaze(**eye) for eye in (right_eye, left_eye))
    return Gaze(**angles, right_eye=right, left_eye=left)


def _covariance(rows: Sequence[Any] | None, count: int) -> Floats:
    """``float32 (count, 2, 2)`` from ``[xx, xy, yy]`` per point."""
    return _rows(rows, count, 3)[:, [0, 1, 1, 2]].reshape(count, 2, 2)


def _rows(rows: Sequence[Any] | None, count: int, width: int) -> Floats:
    """``float32 (count, width)``; NaN for what is missing."""
    missing = [np.nan] * width
    filled = [missing if row is None else row for row in rows or [None] * count]
    return np.array(filled, np.float32).reshape(count, width)


def _schema(document: Mapping[str, Any]) -> KeypointSchema:
    return _named_schema(document["schema"], document["point_names"])


def _named_schema(name: str, names: Sequence[str]) -> KeypointSchema:
    """The schema of a name; of one that facedots does not know, with its points' names alone."""
    if name == IBUG68.name:
        return IBUG68
    everything = tuple(range(len(names)))
    ends = (everything[0], everything[-1])
    return KeypointSchema(name, tuple(names), {"points": everything}, everything, (), ends)


def _decoded(uri: str) -> Image:
    return decode_image(base64.b64decode(uri.partition(",")[2]), source="the answer")
