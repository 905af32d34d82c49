"""What a client sends: images and options as the form of a request, or as the query of a stream."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict
from urllib.parse import urlencode

import cv2
from numpy.typing import ArrayLike

from facedots.errors import ImageError, ServiceError
from facedots.geometry import Image, check_boxes
from facedots.io.text import printable
from facedots.pipeline_options import DetectorName, RefineName, SearchName
from facedots.types import check_image

ImageInput = Image | bytes | str | Path
"""An RGB image ``uint8 (H, W, 3)``, the bytes of an image file, or its path."""

Form = dict[str, Any]
"""The arguments ``files`` and ``data`` of a request by httpx."""


class FindOptions(TypedDict, total=False):
    """How faces are found; what is left out is as the server was started with."""

    model: str
    detector: DetectorName
    search: SearchName
    min_face: int
    any_angle: bool
    refine: RefineName
    max_faces: int
    pose: bool
    signals: bool
    emotions: bool


class ImageOptions(FindOptions, total=False):
    """What is added to the faces of an image."""

    aligned: int
    template: Literal["eyes", "arcface112", "ffhq"]
    drawn: bool


def authorization(token: str | None) -> dict[str, str]:
    """The headers that bring a token.

    Raises:
        ServiceError: The service could not have such a token.
    """
    if token and not re.fullmatch("[!-~]+", token):
        raise ServiceError("a token is one word of ASCII characters")
    return {"Authorization": f"Bearer {token}"} if token else {}


def encode_image(image: ImageInput) -> bytes:
    """The bytes of an image file; an array becomes a PNG, which loses nothing.

    Raises:
        ImageError: The file cannot be read.
        ShapeError: The array is no image.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | Path):
        try:
            return Path(image).read_bytes()
        except OSError as error:
            raise ImageError(f"{image}: cannot be read: {error.strerror}") from error
    pixels = cv2.cvtColor(check_image(image), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1].tobytes()


def image_form(image: ImageInput, boxes: ArrayLike | None, options: Mapping[str, Any]) -> Form:
    """The form of a request for the faces of an image.

    Args:
        image: What faces are looked for in.
        boxes: Its tight boxes (N, 4), ``x0 y0 x1 y1``.
        options: Of the request.

    Raises:
        ImageError, ShapeError: As :func:`encode_image`.
        ValueError: A box is not finite or has no area.
    """
    return _form([image], None if boxes is None else check_boxes(boxes).tolist(), options)


def batch_form(
    images: Sequence[ImageInput], boxes: Sequence[ArrayLike] | None, options: Mapping[str, Any]
) -> Form:
    """The same for several images, with the boxes of each."""
    lists = None if boxes is None else [check_boxes(each).tolist() for each in boxes]
    return _form(images, lists, options)


def _form(
    images: Sequence[ImageInput], boxes: list[Any] | None, options: Mapping[str, Any]
) -> Form:
    names = [printable(str(i)) if isinstance(i, str | Path) else "image" for i in images]
    files = [
        ("image", (name, encode_image(image))) for name, image in zip(names, images, strict=True)
    ]
    data = option_fields(options) | ({} if boxes is None else {"boxes": json.dumps(boxes)})
    return {"files": files, "data": data}


def option_fields(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as text.

    >>> option_fields({"pose": True, "aligned": 112})
    {'pose': 'true', 'aligned': '112'}
    """
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in options.items()
    }


def stream_url(url: str, options: FindOptions) -> str:
    """The address of the WebSocket for frames.

    >>> stream_url("https://faces.example.org", {"model": "tiny"})
    'wss://faces.example.org/v1/stream?model=tiny'
    """
    query = urlencode(option_fields(options))
    return f"ws{url.removeprefix('http').rstrip('/')}/v1/stream{'?' * bool(query)}{query}"
