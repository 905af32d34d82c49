"""The OpenAPI document: what FastAPI cannot see of requests and answers, with examples."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from facedots.io.results import JSON_SCHEMA
from facedots.service.problems import MEDIA_TYPE
from facedots.service.requests import FindOptions

_STATUSES = {
    400: "The form is damaged.",
    401: "The token is missing or another one.",
    408: "The body came too slowly.",
    413: "A limit of bytes, pixels, faces or images was met.",
    415: "The server cannot read this format.",
    422: "No image, a damaged one, or options that are wrong or do not fit it.",
    503: "The queue is full, or the time is over; Retry-After says when to come again.",
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457: what went wrong, with the limit that was met.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "limit": {"type": "object"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "example": {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "16 requests are being computed or wait; try again later",
        "limit": {"name": "queue", "value": 16},
    },
}
_EXAMPLE = {
    "schema_version": 1,
    "schema": "ibug68",
    "point_names": ["jaw_0"],
    "model": "small",
    "options": {"detector": "retinaface", "search": "default", "refine": "auto"},
    "images": [
        {
            "source": "photo.jpg",
            "width": 512,
            "height": 600,
            "faces": [
                {
                    "score": 0.9981,
                    "box": [194.2, 132.9, 340.3, 290.8],
                    "points": [[186.33, 191.5]],
                    "sigma": [3.1],
                    "covariance": [[5.1, 0.4, 14.2]],
                    "confidence": [0.71],
                    "schema": "ibug68",
                    "detection_score": 0.9997,
                }
            ],
        }
    ],
}
"""An answer, cut to the first point."""
_IMAGE = {"type": "string", "format": "binary"}


def finds_faces(kind: type[FindOptions], several: bool = False) -> dict[str, Any]:
    """Parameters and body of an operation that takes images, for ``openapi_extra``."""
    options = kind.model_json_schema()["properties"]
    parameters = [{"name": name, "in": "query", **_schema(name, options[name])} for name in options]
    images = {"type": "array", "items": _IMAGE} if several else _IMAGE
    form = {"type": "object", "required": ["image"], "properties": {"image": images, **options}}
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    if not several:
        content = {"image/jpeg": {"schema": _IMAGE}, "image/png": {"schema": _IMAGE}} | content
    return {"parameters": parameters, "requestBody": {"required": True, "content": content}}


def answers(example: Mapping[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    """The answers of an operation: faces, or a problem."""
    schema = {"$ref": "#/components/schemas/Results"}
    faces = {"schema": schema, "example": {**_EXAMPLE, **(example or {})}}
    found = {"description": "The faces.", "content": {"application/json": faces}}
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    problems: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": problem} for status, text in _STATUSES.items()
    }
    return {200: found, **problems}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of an application, with the schema of docs/results.md in it."""
    if not app.openapi_schema:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        text = JSON_SCHEMA.read_text(encoding="utf-8")
        results = json.loads(text.replace("#/$defs/", "#/components/schemas/"))
        parts = results.pop("$defs")
        kept = {key: value for key, value in results.items() if not key.startswith("$")}
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas |= {"Results": kept, "Problem": _PROBLEM, **parts}
        app.openapi_schema = document
    return app.openapi_schema


def _schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema; that of ``boxes``, which is JSON, as its content."""
    described = {"description": schema.get("description", "")}
    if name == "boxes":
        return described | {"content": {"application/json": {"schema": schema}}}
    return described | {"schema": schema}
