"""Keypoints as COCO results, the file that pycocotools' ``COCO.loadRes`` reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facedots.io.results import image_fields
from facedots.io.text import json_line
from facedots.types import VISIBLE, ImageResult


@dataclass(frozen=True)
class CocoIds:
    """What a COCO annotation file calls the images, the category and the order of its points.

    Attributes:
        images: Source of each image -> its ``image_id``.
        category: The ``category_id`` of all faces.
        order: Of each point of the schema, its place among the category's keypoints; by default
            they are in the same order.

    Example:
        >>> CocoIds({"a.jpg": 7}).entries({"source": "a.jpg", "faces": []})
        []
    """

    images: Mapping[str, int]
    category: int = 1
    order: Sequence[int] | None = None

    def entries(self, image: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The results for the faces of an image of the results document (docs/results.md).

        Visibility is 2 for a point that is seen and 1 for a hidden one; 1 for each point, as COCO
        recommends, where the network does not tell; and 0 for a missing one. There is no ``bbox``:
        pycocotools would take the results for boxes.
        """
        return [
            {
                "image_id": self.images[image["source"]],
                "category_id": self.category,
                "keypoints": self._keypoints(face["points"], face.get("visibility")),
                "score": face["score"],
            }
            for face in image["faces"]
        ]

    def _keypoints(
        self, points: Sequence[Sequence[float] | None], visibility: Sequence[float | None] | None
    ) -> list[float]:
        seen = [(p or 0) >= VISIBLE for p in visibility or [0] * len(points)]
        values = [
            [*point, 2 if is_seen else 1] if point else [0, 0, 0]
            for point, is_seen in zip(points, seen, strict=True)
        ]
        order = self.order or range(len(values))
        placed = dict(zip(order, values, strict=True))
        return [number for place in sorted(placed) for number in placed[place]]


def to_coco(results: Iterable[ImageResult], ids: CocoIds) -> str:
    """The faces of images as COCO results, one line of JSON.

    Args:
        results: The faces, in any number of images.
        ids: From :func:`facedots.annotations.coco.coco_ids`, or made by hand.
    """
    return json_line([entry for result in results for entry in ids.entries(image_fields(result))])
