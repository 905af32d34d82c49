"""CVAT's auto-annotation: cvat-cli itself runs the function against a server that answers as
CVAT's API does and records what is sent.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import Mock

import numpy as np
import PIL.Image
import pytest
from cvat_cli.__main__ import main as cvat_cli
from cvat_sdk.auto_annotation import BadFunctionError
from tests.servers import QuietHandler

from facedots.annotations.cvat import cvat_labels
from facedots.detection.opencv import Haar
from facedots.errors import DataError
from facedots.geometry import Floats, Image
from facedots.inference.predictor import KeypointPredictor
from facedots.labeling.cvat_function import FaceFunction, create
from facedots.pipeline import Pipeline
from facedots.schema import IBUG68
from facedots.types import Face

TASK = 42
NAN = np.float32("nan")


class Cvat(ThreadingHTTPServer):
    """CVAT's API for one task of two images, as far as annotating it needs."""

    def __init__(self, images: list[Image], labels: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[str] = []
        self.sent: dict[str, Any] = {}
        empty = {"url": "", "count": 0}
        task = {
            "id": TASK,
            "name": "faces",
            "size": len(images),
            "mode": "annotation",
            "organization": None,
        }
        task |= {"data_chunk_size": 72, "data_original_chunk_type": "imageset"}
        task |= {"jobs": empty | {"completed": 0, "validation": 0}, "labels": empty}
        task |= {"updated_date": "2026-11-26T12:00:00Z", "data_compressed_chunk_type": "imageset"}
        frames = [
            {"name": f"{i}.png", "width": image.shape[1], "height": image.shape[0]}
            | {"related_files": 0, "has_related_context": False}
            for i, image in enumerate(images)
        ]
        meta = {"image_quality": 70, "size": len(images), "start_frame": 0, "frames": frames}
        meta |= {"stop_frame": len(images) - 1, "frame_filter": "", "deleted_frames": []}
        meta |= {
            "included_frames": None,
            "chunk_size": 72,
            "chunks_updated_date": task["updated_date"],
        }
        page = {"count": len(labels), "next": None, "previous": None, "results": labels}
        self.answers: dict[str, bytes] = {
            "GET /api/server/about": _json(
                {
                    "version": "2.80.0",
                    "name": "CVAT",
                    "description": "",
                    "logo_url": "",
                    "subtitle": "",
                }
            ),
            f"GET /api/tasks/{TASK}": _json(task),
            f"GET /api/tasks/{TASK}/data/meta": _json(meta),
            f"GET /api/tasks/{TASK}/data": _chunk(images),
            "GET /api/labels": _json(page),
            f"PATCH /api/tasks/{TASK}/annotations": _json({"version": 1, "tags": [], "shapes": []}),
        }


class Handler(QuietHandler):
    server: Cvat

    def answer(self) -> None:
        call = f"{self.command} {self.path.partition('?')[0].rstrip('/')}"
        self.server.calls.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "PATCH":
            self.server.sent = json.loads(body)
        data = self.server.answers.get(call, b"")
        self.send_response(200 if data else 404)
        binary = data.startswith(b"PK")
        self.send_header("Content-Type", "application/zip" if binary else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = answer


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _chunk(images: list[Image]) -> bytes:
    """The ZIP file in which CVAT sends frames."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i, image in enumerate(images):
            png = io.BytesIO()
            PIL.Image.fromarray(image).save(png, "PNG")
            archive.writestr(f"{i:06d}.png", png.getvalue())
    return file.getvalue()


def labels_of_project(points: Floats, first_id: int = 1000) -> list[dict[str, Any]]:
    """What CVAT's API says of the labels of ``cvat/labels.json``, with ids of its own."""
    (label,) = json.loads(cvat_labels(IBUG68, points))
    elements = [
        {**element, "id": first_id + i, "color": "#fff", "has_parent": True}
        for i, element in enumerate(label["sublabels"])
    ]
    attributes = [{**attribute, "id": 77} for attribute in label["attributes"]]
    return [label | {"id": 9, "color": "#fff", "sublabels": elements, "attributes": attributes}]


@pytest.fixture
def serve(
    hopper: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[list[dict[str, Any]]], Cvat]]:
    """``serve(labels)``: a server with a portrait and an image of nobody."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", "secret")
    servers = list[Cvat]()

    def start(labels: list[dict[str, Any]]) -> Cvat:
        images = [hopper[::2, ::2], np.full((50, 60, 3), 128, np.uint8)]
        servers.append(Cvat(images, labels))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def annotate(server: Cvat, *more: str) -> int:
    host = f"http://127.0.0.1:{server.server_port}"
    command = ["--server-host", host, "task", "auto-annotate", str(TASK)]
    module = ["--function-module", "facedots.labeling.cvat_function"]
    return int(cvat_cli([*command, *module, *more]) or 0)


def test_cvat_cli_annotates_a_task_with_skeletons(
    serve: Callable[[list[dict[str, Any]]], Cvat], tiny_model: Path, hopper: Image
) -> None:
    image = hopper[::2, ::2]
    (face,) = Pipeline(Haar(), KeypointPredictor(tiny_model))(image)
    server = serve(labels_of_project(face.points))
    options = ["-p", f"model=str:{tiny_model}", "-p", "detector=str:haar"]
    assert annotate(server, *options) == 0
    assert server.calls[-1] == f"PATCH /api/tasks/{TASK}/annotations/?action=create"
    assert server.sent["tags"] == []
    (shape,) = server.sent["shapes"]
    assert (shape["type"], shape["frame"], shape["label_id"]) == ("skeleton", 0, 9)
    assert shape["attributes"] == [{"spec_id": 77, "value": f"{face.sigma.mean():.2f}"}]
    assert [each["label_id"] for each in shape["elements"]] == [*range(1000, 1068)]
    places = np.array([each["points"] for each in shape["elements"]])
    np.testing.assert_allclose(places, face.points + 0.5, atol=1e-4)
    assert not any(each["outside"] or each["occluded"] for each in shape["elements"])


def test_labels_that_do_not_fit_are_refused(
    serve: Callable[[list[dict[str, Any]]], Cvat], tiny_model: Path
) -> None:
    (label,) = labels_of_project(np.zeros((68, 2), np.float32) + np.eye(68, 2, dtype=np.float32))
    label["sublabels"][36]["name"] = "eye"
    server = serve([label])
    with pytest.raises(BadFunctionError, match="'right_eye_0' of label 'face' is not in dataset"):
        annotate(server, "-p", f"model=str:{tiny_model}")
    assert not server.sent


def detect(face: Face, threshold: float | None = None, **options: float) -> Any:
    """What the function makes of an image in which this face is found."""
    pipeline = Mock(side_effect=lambda _: [face])
    pipeline.predictor.spec.schema = IBUG68
    return FaceFunction(pipeline, **options).detect(
        Mock(conf_threshold=threshold), PIL.Image.new("L", (9, 9))
    )


def test_missing_points_are_outside_and_uncertain_ones_occluded_if_asked(
    two_faces: tuple[Image, list[Face]],
) -> None:
    points = two_faces[1][0].points.copy()
    points[0] = NAN
    confidence = np.full(68, 0.9, np.float32)
    confidence[:3] = (NAN, 0.1, 0.3)
    face = replace(two_faces[1][0], points=points, confidence=confidence, score=0.6)
    marks = partial(_marks, "outside"), partial(_marks, "occluded")
    assert [of(detect(face)) for of in marks] == [[0], []]
    assert [of(detect(face, occluded_below=0.3)) for of in marks] == [[0], [1]]
    hidden = replace(face, visibility=np.where(np.arange(68) < 4, 0.4, 1).astype(np.float32))
    assert [of(detect(hidden)) for of in marks] == [[0], [1, 2, 3]]
    (shape,) = detect(face, threshold=0.6)
    np.testing.assert_allclose(shape.elements[0].points, np.nanmean(points, axis=0) + 0.5, 1e-5)
    assert shape.attributes[0].value == ""
    assert detect(face, threshold=0.61) == detect(replace(face, points=points * NAN)) == []


def _marks(name: str, shapes: Any) -> list[int]:
    """The elements of the only skeleton that are so marked."""
    return [i for i, element in enumerate(shapes[0].elements) if element[name]]


def test_parameters_are_the_options_of_the_command_line() -> None:
    with pytest.raises(DataError, match="detector=best: not one of retinaface, finder, haar"):
        create(detector="best")
    with pytest.raises(TypeError, match="speed"):
        create(speed=3)
