"""What a request may ask for: its options, from the query and the fields of a form."""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from facedots.pipeline_options import DetectorName, RefineName, SearchName
from facedots.service.problems import Problem

Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Boxes = tuple[tuple[Coordinate, Coordinate, Coordinate, Coordinate], ...]
_Options = TypeVar("_Options", bound="FindOptions")


def _from_json(value: object) -> object:
    """A text as the JSON that it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError("JSON is expected") from error


class FindOptions(BaseModel):
    """How faces are looked for; by default as the server was started."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str | None, Field(description="A network of GET /v1/models.")] = None
    detector: Annotated[
        DetectorName | None, Field(description="A face detector of GET /v1/models.")
    ] = None
    search: Annotated[
        SearchName | None, Field(description="How small the faces are that are looked for.")
    ] = None
    min_face: Annotated[
        int | None, Field(ge=8, description="Search for faces from so many pixels.")
    ] = None
    any_angle: Annotated[
        bool | None, Field(description="Find heads on their side and upside down too.")
    ] = None
    refine: Annotated[RefineName | None, Field(description="Further predictions of each face.")] = (
        None
    )
    max_faces: Annotated[int | None, Field(ge=1, description="Only the best ones.")] = None
    pose: Annotated[
        bool, Field(description="Add the head pose and, where the network finds pupils, the gaze.")
    ] = False
    signals: Annotated[bool, Field(description="Add the expression signals.")] = False
    emotions: Annotated[bool, Field(description="Add the probability of each emotion.")] = False


class ImageOptions(FindOptions):
    """What is added to the faces of an image."""

    aligned: Annotated[
        int | None,
        Field(ge=8, le=1024, description="Add each face upright in a square of so many pixels."),
    ] = None
    template: Annotated[
        Literal["eyes", "arcface112", "ffhq"],
        Field(description="Where the parts of an aligned face go."),
    ] = "eyes"
    drawn: Annotated[bool, Field(description="Add the image with the keypoints drawn.")] = False


class FaceOptions(ImageOptions):
    """Of one image."""

    boxes: Annotated[
        Boxes | None,
        BeforeValidator(_from_json),
        Field(
            description="Tight boxes [[x0, y0, x1, y1], …] in pixels: no detector runs, and the "
            "faces come in the order of the boxes."
        ),
    ] = None
    source: Annotated[
        str | None,
        Field(max_length=1000, description="Name of the image in the answer; else its file's."),
    ] = None


class BatchOptions(ImageOptions):
    """Of several images."""

    boxes: Annotated[
        tuple[Boxes, ...] | None,
        BeforeValidator(_from_json),
        Field(description="For each image its tight boxes: [[[x0, y0, x1, y1], …], …]."),
    ] = None


def parse_options(kind: type[_Options], items: Iterable[tuple[str, str]]) -> _Options:
    """The options of a request.

    Raises:
        Problem: There is no such option, it is given twice, or its value is wrong (422).
    """
    values: dict[str, Any] = {}
    for name, value in items:
        if name in values:
            raise Problem(422, f"{name[:100]}: given twice")
        values[name] = value
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise Problem.of_options(error.errors(include_url=False, include_input=False)) from None
