"""Results as JSON and CSV. Both are text made in one go, for :func:`facedots.io.files.write_whole` to put into a file."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facedots.geometry import Floats
from facedots.schema import KeypointSchema
from facedots.types import Face


@dataclass(frozen=True)
class ImageResult:
    """The faces of one picture.

    Attributes:
        source: The path or URL of the picture.
        width: In pixels.
        height: In pixels.
        faces: Best first; empty where none was found.
    """

    source: str
    width: int
    height: int
    faces: Sequence[Face]


def to_json(results: Iterable[ImageResult], schema: KeypointSchema, model: str) -> str:
    """One JSON document: ``{"schema", "point_names", "model", "images": [{"source", "width", "height", "faces"}]}``.

    A face is what :meth:`Face.to_dict <facedots.types.Face.to_dict>` gives, covariances included; numbers are in pixels of the
    picture.
    """
    images = [
        {
            "source": result.source,
            "width": result.width,
            "height": result.height,
            "faces": [face.to_dict() for face in result.faces],
        }
        for result in results
    ]
    document = {"schema": schema.name, "point_names": schema.names, "model": model, "images": images}
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def csv_header(schema: KeypointSchema) -> list[str]:
    """The columns of :func:`to_csv`: OpenFace's ``frame, face_id, confidence, success, x_0 … y_0 …``, then ours.

    Those are sigma and confidence of each point, and the source.

    >>> from facedots.schema import IBUG68
    >>> header = csv_header(IBUG68)
    >>> header[:5], header[72], header[140], header[208], header[-1]
    (['frame', 'face_id', 'confidence', 'success', 'x_0'], 'y_0', 'sigma_0', 'confidence_0', 'source')
    """
    points = [f"{axis}_{i}" for axis in ("x", "y", "sigma", "confidence") for i in range(schema.count)]
    return ["frame", "face_id", "confidence", "success", *points, "source"]


def to_csv(results: Iterable[ImageResult], schema: KeypointSchema) -> str:
    """One CSV table with a row a face, read by whatever reads OpenFace's: columns by name, no spaces after the commas.

    ``frame`` counts the pictures from 1, ``face_id`` the faces of a picture from 0, ``confidence`` is the face's score;
    ``confidence_0`` and on are those of its points. Whole covariances are in the JSON only. A picture without a face has one row
    with ``success`` 0 and empty coordinates. What the network does not know is empty.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(csv_header(schema))
    for frame, result in enumerate(results, start=1):
        for face_id, face in enumerate(result.faces):
            places = (face.points[:, 0], face.points[:, 1], face.sigma, face.confidence)
            values = [cell for column in places for cell in _cells(column)]
            table.writerow([frame, face_id, f"{face.score:.4f}", 1, *values, result.source])
        if not result.faces:
            table.writerow([frame, 0, "0.0000", 0, *[""] * (4 * schema.count), result.source])
    return text.getvalue()


def _cells(values: Floats) -> list[str]:
    """Hundredths, of a pixel or of certainty; NaN is empty."""
    return ["" if math.isnan(value) else f"{value:.2f}" for value in values.tolist()]
