"""The search for faces of any size: views of an image from coarse to fine, large ones in tiles,
turned where heads may lie, and a second look at every weak candidate.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facedots.detection.base import Detections, Detector, SearchRange
from facedots.detection.candidates import Candidates, completed, distinct, shares_inside
from facedots.detection.turns import diagonal_view, quarter_turns
from facedots.geometry import (
    Floats,
    Image,
    Matrix,
    box_iou,
    compose,
    crop_matrix,
    invert,
    warp_image,
)
from facedots.types import check_image

Search = Literal["fast", "default", "thorough"]

MIN_FACE = 24
"""Side in pixels of the smallest face of the thorough search."""

Look = Callable[[tuple[float, ...]], Candidates]
"""The face in a tilted square, if there is one."""

FaceSizes = Mapping[Search, tuple[float, float]]
"""Side of the smallest face: in pixels, and over the long side of the image; the larger holds."""

_MIN_FACES: FaceSizes = {"fast": (32, 1 / 11), "default": (32, 1 / 32), "thorough": (MIN_FACE, 0.0)}

_HINTS: dict[Search, float] = {"fast": 0.05, "default": 0.05, "thorough": 0.02}
"""Candidates from this score on get a second look."""

_MAX_ZOOM = 2.0
_SMALLEST_VIEW, _WHOLE_VIEW = 128, 320
"""Long sides of views: smaller images are enlarged; up to here, none is reduced."""

_COARSER, _COARSEST_VIEW = 4.0, 160
_TILE, _OVERLAP = 1024, 160
"""Side of a tile and what neighbors share, in pixels of the view."""

_MAX_HINTS = 32
"""Second looks per view or tile, the strongest candidates first."""
_DOUBT = 0.1
"""A second look must score above all but this share of what is above ``min_score``."""
_TURN_SCORE, _UPRIGHT_SCORE = 0.01, 0.98
"""A view with a candidate of the first score, off all of the second, is looked at turned."""
_SECOND_VIEW, _SECOND_FACE = 112, 52
"""Side of a second look and of the face in it, in pixels."""

_ROLLS = range(-45, 46, 45), range(-135, 181, 45)
"""Tilts at which a face of unknown tilt is looked at: in the upright search, and at any angle."""

_PART_INSIDE = 0.8
_EDGE = 3.0
"""Pixels from its tile's edge within which a box is cut."""


def smallest_face(sizes: FaceSizes, search: Search, min_face: float | None) -> tuple[float, float]:
    """One of the sizes, or ``min_face`` pixels.

    Raises:
        ValueError: There is no such search, or no face is so small.
    """
    if search not in sizes:
        raise ValueError(f"search={search!r}: not one of {', '.join(sizes)}")
    if min_face is None:
        return sizes[search]
    if not 0 < min_face < np.inf:
        raise ValueError(f"min_face={min_face}: a number of pixels above 0 is needed")
    return min_face, 0.0


def checked_score(min_score: float) -> float:
    """The score.

    Raises:
        ValueError: It is not in [0, 1].
    """
    if not 0 <= min_score <= 1:
        raise ValueError(f"min_score={min_score}: a number from 0 to 1 is needed")
    return min_score


class SearchingDetector(Detector):
    """A network that finds faces of a range of sizes, made to find all in an image of any size.

    The whole image is looked at coarsely for large faces, then finer, in tiles where a view would
    be large. Candidates below ``min_score`` are looked at again, each zoomed and upright. The time
    grows with the pixels of the finest view (docs/experiments.md, Detection).

    Args:
        min_score: Faces with a lower score, in [0, 1], are dropped.
        search: ``"fast"``: faces from 1/11 of the long side; ``"default"``: from 32 pixels or 1/32
            of the long side; ``"thorough"``: from 24 pixels in images of any size.
        min_face: Longer side in pixels of the smallest face to look for, instead.
        any_angle: Look for heads on their side and upside down too.

    Raises:
        ValueError: There is no such search, ``min_face`` is not above 0, or ``min_score`` not in
            [0, 1].
    """

    view_faces: ClassVar[tuple[float, float]]
    """Sides of the smallest and largest face found in a view, in pixels."""
    gives_hints: ClassVar[bool] = True
    """Whether candidates below ``min_score`` deserve a second look."""

    def __init__(
        self,
        min_score: float = 0.8,
        search: Search = "default",
        min_face: float | None = None,
        any_angle: bool = False,
    ) -> None:
        self._min_score, self._any_angle = checked_score(min_score), any_angle
        self._sure = 1 - _DOUBT * (1 - min_score)
        self._min_face = smallest_face(_MIN_FACES, search, min_face)
        self._lowest = min(_HINTS[search], min_score) if self.gives_hints else min_score

    @abstractmethod
    def candidates(self, view: Image, min_score: float) -> Candidates:
        """What may be a face in a view ``uint8 (H, W, 3)``, each once, best first."""

    def search_range(self, width: int, height: int) -> SearchRange:
        """What is looked for in an image of this size."""
        pixels, share = self._min_face
        smallest = max(pixels, share * max(width, height), self.view_faces[0] / _MAX_ZOOM)
        return SearchRange(smallest, 180 if self._any_angle else 45)

    def __call__(self, image: Image) -> Detections:
        """The faces in an RGB image ``uint8 (H, W, 3)``, best first.

        Raises:
            ShapeError: Not such an image.
        """
        height, width = check_image(image).shape[:2]
        searches = [Candidates.joined([])] * (1 + self._any_angle)
        for zoom in self._zooms(width, height):
            views = zip(searches, self._look(image, zoom), strict=True)
            tiled = zoom * max(width, height) > _TILE
            searches = [self._merged(found, view, zoom, tiled) for found, view in views]
        look = cache(partial(self._upright_look, image))
        # What is turned may push out what is upright, and then fail: so both searches run.
        upright, *turned = map(partial(self._second_look, look), searches, _ROLLS)
        found = completed(turned[0], upright) if turned else upright
        return Detections(found.boxes, found.scores, found.squares())

    def _zooms(self, width: int, height: int) -> list[float]:
        """From image to view, coarse to fine."""
        long_side = max(width, height)
        zoom = min(self.view_faces[0] / self.search_range(width, height).smallest, _MAX_ZOOM)
        sides = [max(zoom * long_side, min(long_side, _WHOLE_VIEW), _SMALLEST_VIEW)]
        while sides[-1] > self.view_faces[1]:
            sides.append(max(sides[-1] / _COARSER, _COARSEST_VIEW))
        return [side / long_side for side in reversed(sides)]

    def _look(self, image: Image, zoom: float) -> list[Candidates]:
        """The candidates of each search in the whole image at one zoom."""
        height, width = image.shape[:2]
        parts = []
        for left, right in _spans(width, zoom):
            for top, bottom in _spans(height, zoom):
                tile = np.ascontiguousarray(image[top:bottom, left:right])
                view = _resized(tile, zoom)
                x_step, y_step = tile.shape[1] / view.shape[1], tile.shape[0] / view.shape[0]
                back = np.array(
                    [[x_step, 0, x_step / 2 - 0.5 + left], [0, y_step, y_step / 2 - 0.5 + top]]
                )
                ends = (left, top, right, bottom)
                inner = (left > 0, top > 0, right < width, bottom < height)
                found = [part.mapped(back) for part in self._look_turned(view)]
                parts.append([part.giving_way(_cut(part.boxes, ends, inner)) for part in found])
        return [Candidates.joined(list(search)) for search in zip(*parts, strict=True)]

    def _look_turned(self, view: Image) -> list[Candidates]:
        """The candidates of the upright search in a view; of that at any angle, if asked for, in
        the view turned as far as needed as well.
        """
        found = self.candidates(view, _TURN_SCORE if self._any_angle else self._lowest)
        likely = found[found.scores >= self._lowest]
        searches = [self._strongest(likely)]
        if self._any_angle:
            views = _turned_views(view, found)
            parts = [self.candidates(turned, self._lowest).mapped(back) for turned, back in views]
            likely = Candidates.joined([likely, *parts])
            unclear = np.isnan(likely.squares()).any(axis=1)
            searches.append(self._strongest(likely.giving_way(np.asarray(unclear))))
        return searches

    def _strongest(self, found: Candidates) -> Candidates:
        """The distinct candidates, of the weak ones the strongest."""
        found = distinct(found)
        weak = found.scores < self._min_score
        return found[~weak | (np.cumsum(weak) <= _MAX_HINTS)]

    def _merged(self, coarse: Candidates, fine: Candidates, zoom: float, tiled: bool) -> Candidates:
        """Of both views the faces that it sees well; parts of large faces, as an eye, are dropped
        from the fine one.
        """
        if not len(coarse):
            return fine
        largest = self.view_faces[1] / zoom
        certain = coarse.scores >= self._min_score
        giants = coarse.boxes[certain & (coarse.sides > largest)]
        inside = shares_inside(fine.boxes, giants).max(axis=1, initial=0) > _PART_INSIDE
        fine = fine[(fine.sides <= largest) & ~inside]
        limit = _OVERLAP / zoom if tiled else largest
        return Candidates.joined([coarse.giving_way(coarse.sides <= limit / 2), fine])

    def _second_look(self, look: Look, found: Candidates, rolls: range) -> Candidates:
        """The distinct faces, after each weak or doubtful candidate was looked at zoomed and
        upright.
        """
        found = distinct(found.giving_way(~self._certain(found)))
        certain = self._certain(found)
        squares = found.squares()
        agreeing = np.asarray(np.isfinite(squares).all(axis=1))
        parts = [found[certain].giving_way(~agreeing[certain])]
        for i in np.flatnonzero(~certain | ~agreeing) if self.gives_hints else ():
            center, side = found.centers[i], found.sides[i]
            tries = [squares[i]] if agreeing[i] else [(*center, side, roll) for roll in rolls]
            best = Candidates.joined([look(tuple(square)) for square in tries])
            best = best[best.scores >= (self._min_score if certain[i] else self._sure)]
            parts.append(best[np.argsort(-best.scores)[:1]])
        return distinct(Candidates.joined(parts))

    def _certain(self, found: Candidates) -> NDArray[np.bool_]:
        """Which candidates need no second look."""
        level = (found.turns == 0) | (not self.gives_hints)
        bars = np.where(level, self._min_score, self._sure)
        return np.asarray(found.scores >= bars)

    def _upright_look(self, image: Image, square: ArrayLike) -> Candidates:
        """The face, if there is one, in a tilted square of the image."""
        view, back = _upright_view(image, square)
        found = self.candidates(view, self._min_score)
        off = np.abs(found.centers - (_SECOND_VIEW - 1) / 2).max(axis=1, initial=0)
        found = found[(off < _SECOND_FACE / 2) & np.isfinite(found.squares()).all(axis=1)]
        return found[:1].mapped(back)


def _spans(length: int, zoom: float) -> Iterator[tuple[int, int]]:
    """Start and end of each tile along a side of the image; equal ones that share the overlap."""
    tile, overlap = _TILE / zoom, _OVERLAP / zoom
    count = max(1, int(np.ceil((length - overlap) / (tile - overlap))))
    side = (length + (count - 1) * overlap) / count
    for start in np.linspace(0, length - side, count):
        yield int(start), min(length, int(np.ceil(start + side)))


def _resized(image: Image, zoom: float) -> Image:
    size = max(1, round(image.shape[1] * zoom)), max(1, round(image.shape[0] * zoom))
    if size == (image.shape[1], image.shape[0]):
        return image
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def _turned_views(view: Image, found: Candidates) -> list[tuple[Image, Matrix]]:
    """What else to look at where these were found, and the maps back."""
    upright = found.scores >= _UPRIGHT_SCORE
    overlaps = box_iou(found.boxes, found.boxes[upright]).max(axis=1, initial=0)
    if upright.any() and (overlaps > 0).all():
        return []
    views = [*quarter_turns(view, np.eye(2, 3))][1:]
    if max(view.shape) <= _WHOLE_VIEW:  # small faces are seen within 20 degrees of upright
        views += quarter_turns(*diagonal_view(view))
    return views


def _upright_view(image: Image, square: ArrayLike) -> tuple[Image, Matrix]:
    """A view of one face from its tilted square, and the map back to the image."""
    x, y, side, roll = np.asarray(square, np.float64).tolist()
    wide = side * _SECOND_VIEW / _SECOND_FACE
    left, right = np.clip([int(x - wide), int(x + wide) + 1], 0, image.shape[1] - 1)
    top, bottom = np.clip([int(y - wide), int(y + wide) + 1], 0, image.shape[0] - 1)
    near = np.ascontiguousarray(image[top : bottom + 1, left : right + 1])
    matrix = crop_matrix((x - left, y - top, wide, roll), _SECOND_VIEW)
    view = warp_image(near, matrix, (_SECOND_VIEW, _SECOND_VIEW))
    return view, compose(np.array([[1, 0, left], [0, 1, top]]), invert(matrix))


def _cut(
    boxes: Floats, ends: tuple[int, int, int, int], inner: tuple[bool, bool, bool, bool]
) -> NDArray[np.bool_]:
    """Which boxes ``(N, 4)`` touch an edge of their tile that is none of the image."""
    beyond = (boxes - np.array(ends)) * np.array([-1, -1, 1, 1])
    return np.asarray(((beyond > -_EDGE) & np.array(inner)).any(axis=1))
