"""Label Studio's labeling interface: the tags of a project that hold faces and their points."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from facedots.annotations.exports import point_index
from facedots.errors import DataError
from facedots.schema import KeypointSchema

FACE, POINTS, IMAGE, VISIBILITY = "face", "points", "image", "visibility"
"""Tags in facedots' interface; the first is also the label of a face's rectangle."""

HIDDEN = "hidden"
"""What is chosen of a point that something hides."""

_COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
"""One a region, in turn."""


@dataclass(frozen=True)
class LabelingInterface:
    """Where a project's labeling interface has its image, its faces and their points.

    Attributes:
        image: Name of the image's tag.
        field: The field of a task's data with the image's address.
        points: Name of the tag of key points.
        labels: Index of a point in the schema -> its label; points without one are absent.
        face: Name of the tag of rectangles, one a face; empty where there is none.
        face_label: The label of these rectangles.
        visibility: Name of the tag where :data:`HIDDEN` is chosen of a point; empty where there is
            none.

    Example:
        >>> from facedots.schema import IBUG68
        >>> interface = LabelingInterface.of_schema(IBUG68)
        >>> interface.labels[36], parse_interface(label_studio_config(IBUG68), IBUG68) == interface
        ('right_eye_0', True)
    """

    image: str
    field: str
    points: str
    labels: Mapping[int, str]
    face: str = ""
    face_label: str = ""
    visibility: str = ""

    @classmethod
    def of_schema(cls, schema: KeypointSchema) -> "LabelingInterface":
        """That of :func:`label_studio_config`."""
        labels = dict(enumerate(schema.names))
        return cls(IMAGE, IMAGE, POINTS, labels, FACE, FACE, VISIBILITY)


def label_studio_config(schema: KeypointSchema) -> str:
    """XML of a labeling interface for the points of a schema."""
    colors = {region: _COLORS[i % len(_COLORS)] for i, region in enumerate(schema.regions)}
    labels = [
        f'    <Label value={quoteattr(name)} background="{colors[region]}" model_index="{i}"/>'
        for i, (name, region) in enumerate(zip(schema.names, schema.region_of, strict=True))
    ]
    lines = [
        "<View>",
        f'  <Image name="{IMAGE}" value="${IMAGE}" zoom="true" zoomControl="true"/>',
        f'  <RectangleLabels name="{FACE}" toName="{IMAGE}" canRotate="false">',
        f'    <Label value="{FACE}" background="#999999"/>',
        "  </RectangleLabels>",
        f'  <KeyPointLabels name="{POINTS}" toName="{IMAGE}" strokeWidth="2">',
        *labels,
        "  </KeyPointLabels>",
        f'  <Choices name="{VISIBILITY}" toName="{IMAGE}" choice="multiple" perRegion="true" '
        f'whenTagName="{POINTS}">',
        f'    <Choice value="{HIDDEN}"/>',
        "  </Choices>",
        "</View>",
    ]
    return "\n".join(lines) + "\n"


def parse_interface(config: str, schema: KeypointSchema) -> LabelingInterface:
    """The tags of a labeling interface that fit a schema.

    Of several ``KeyPointLabels`` the one with the most labels that are points of the schema, by
    name or by number from 1; of the ``RectangleLabels`` of the same image the first, whose label
    is "face" or its only one; of the ``Choices`` of its regions the first that has "hidden".

    Raises:
        DataError: It is no such interface; the message names what is missing.
    """
    root = _parse(config)
    images = {tag.get("name", ""): tag.get("value", "") for tag in root.iter("Image")}
    found = [
        (tag, labels)
        for tag in root.iter("KeyPointLabels")
        if tag.get("toName") in images and (labels := _point_labels(tag, schema))
    ]
    if not found:
        names = f"{schema.names[0]} … {schema.names[-1]}"
        raise DataError(
            f"the labeling interface has no KeyPointLabels of an Image with labels {names} "
            f"(schema {schema.name}), or 1 … {schema.count}; `facedots label interface` prints one"
        )
    points, labels = max(found, key=lambda each: len(each[1]))
    image = points.get("toName", "")
    face, face_label = _face_tag(root, image)
    field = images[image].removeprefix("$")
    visibility = _visibility_tag(root, image)
    name = points.get("name", "")
    return LabelingInterface(image, field, name, labels, face, face_label, visibility)


def _parse(config: str) -> ET.Element:
    """The root of the XML; a document type, and with it every entity, is refused."""
    try:
        if "<!DOCTYPE" in config:
            raise ValueError("it has a document type")
        return ET.fromstring(config)
    except (ET.ParseError, ValueError) as error:
        raise DataError(f"the labeling interface is not XML that can be read: {error}") from error


def _point_labels(tag: ET.Element, schema: KeypointSchema) -> dict[int, str]:
    """Index of each point that has a label in a tag -> the label as results name it."""
    labels = dict[int, str]()
    for label in tag.iter("Label"):
        name = label.get("value", "")
        index = point_index(name, schema)
        if index is not None:
            labels.setdefault(index, label.get("alias") or name)
    return dict(sorted(labels.items()))


def _face_tag(root: ET.Element, image: str) -> tuple[str, str]:
    """Name and label of the rectangles of an image; both empty where there are none."""
    for tag in root.iter("RectangleLabels"):
        if tag.get("toName") == image:
            labels = [label.get("value", "") for label in tag.iter("Label")]
            named = [label for label in labels if label.lower() == FACE] or labels
            if len(named) != 1:
                name = tag.get("name", "")
                raise DataError(f"which of the labels of {name!r} is a face? Call one {FACE!r}")
            return tag.get("name", ""), named[0]
    return "", ""


def _visibility_tag(root: ET.Element, image: str) -> str:
    """Name of the choices that tell hidden points of an image; empty where there are none."""
    for tag in root.iter("Choices"):
        values = [choice.get("value") for choice in tag.iter("Choice")]
        if tag.get("toName") == image and tag.get("perRegion") == "true" and HIDDEN in values:
            return tag.get("name", "")
    return ""
