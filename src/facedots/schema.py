"""The meaning of keypoints: names, regions, mirror order, edges, and the pair that scales errors.

Left and right are the subject's: point 0 of the iBUG order lies on the subject's right, the left of
the image.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from facedots.errors import DataError, PointsError


@dataclass(frozen=True)
class KeypointSchema:
    """The meaning of K keypoints.

    Attributes:
        name: Short identifier, as in ``"ibug68"``.
        names: K distinct point names, in the order of the arrays.
        regions: Region name -> indices of its points; every point lies in exactly one region.
        flip: K indices; point ``i`` of a face becomes point ``flip[i]`` of its mirror image.
        edges: Pairs of indices to join when a face is drawn.
        norm_pair: The two points whose distance scales the normalized mean error (NME).

    Raises:
        ValueError: The fields contradict each other.

    Example:
        >>> IBUG68.count, IBUG68.names[36], IBUG68.regions["left_eye"]
        (68, 'right_eye_0', (42, 43, 44, 45, 46, 47))
    """

    name: str
    names: tuple[str, ...]
    regions: Mapping[str, tuple[int, ...]]
    flip: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]
    norm_pair: tuple[int, int]

    def __post_init__(self) -> None:
        everything = list(range(self.count))
        object.__setattr__(self, "regions", MappingProxyType(dict(self.regions)))
        used = {i for pair in (*self.edges, self.norm_pair) for i in pair}
        fault = ""
        if len(set(self.names)) != self.count:
            fault = "point names repeat"
        elif wrong := self._outside_one_region():
            fault = f"every point must lie in exactly one region; {wrong}"
        elif sorted(self.flip) != everything or any(
            self.flip[self.flip[i]] != i for i in self.flip
        ):
            fault = "flip must be a permutation that undoes itself"
        elif not used <= set(everything):
            fault = "edges and norm_pair must be indices of points"
        if fault:
            raise ValueError(f"schema {self.name}: {fault}")

    def _outside_one_region(self) -> str:
        """Which points lie in no region or in several, in words; nothing where none does."""
        listed = Counter(i for region in self.regions.values() for i in region)
        unknown = [str(i) for i in listed if i not in range(self.count)]
        none = [name for i, name in enumerate(self.names) if listed[i] == 0]
        several = [name for i, name in enumerate(self.names) if listed[i] > 1]
        kinds = {"in none": none, "repeated": several, "no points": unknown}
        return ", ".join(f"{kind}: {' '.join(names)}" for kind, names in kinds.items() if names)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        # A mappingproxy cannot be pickled, so data-loader workers get schemas as JSON.
        return KeypointSchema.from_json, (self.to_json(),)

    def __hash__(self) -> int:
        return hash((self.name, self.names))

    @property
    def count(self) -> int:
        """K, the number of points."""
        return len(self.names)

    @cached_property
    def region_of(self) -> tuple[str, ...]:
        """The region of each of the K points."""
        owner = {i: region for region, indices in self.regions.items() for i in indices}
        return tuple(owner[i] for i in range(self.count))

    @cached_property
    def right_to_left(self) -> tuple[int, int] | None:
        """The ``norm_pair``, right one first; None where names and ``flip`` do not tell.

        >>> IBUG68.right_to_left
        (36, 45)
        """
        first, second = self.norm_pair
        rights = ["right" in self.names[i].lower() for i in (first, second)]
        if self.flip[first] != second or rights[0] == rights[1]:
            return None
        return (first, second) if rights[0] else (second, first)

    def index(self, name: str) -> int:
        """The index of a point by its name.

        Raises:
            ValueError: No point has this name.

        >>> IBUG68.index("right_eye_0")
        36
        """
        if name not in self.names:
            names = f"the names go from {self.names[0]} to {self.names[-1]}"
            raise ValueError(f"schema {self.name}: no point is called {name!r}; {names}")
        return self.names.index(name)

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` reads it back."""
        names = ("name", "names", "regions", "flip", "edges", "norm_pair")
        return json.dumps({name: getattr(self, name) for name in names}, default=dict)

    @classmethod
    def from_json(cls, text: str) -> "KeypointSchema":
        """The schema that :meth:`to_json` wrote.

        >>> KeypointSchema.from_json(IBUG68.to_json()) == IBUG68
        True
        """
        fields = json.loads(text)
        first, second = fields["norm_pair"]
        return cls(
            name=fields["name"],
            names=tuple(fields["names"]),
            regions={region: tuple(indices) for region, indices in fields["regions"].items()},
            flip=tuple(fields["flip"]),
            edges=tuple((a, b) for a, b in fields["edges"]),
            norm_pair=(first, second),
        )


def _path(indices: Sequence[int], closed: bool = False) -> tuple[tuple[int, int], ...]:
    """The edges between consecutive points, and from the last to the first of a closed line."""
    ends = [*indices[1:], indices[0]] if closed else indices[1:]
    return tuple(zip(indices, ends, strict=False))


def _ibug68() -> KeypointSchema:
    regions = {
        "jaw": range(0, 17),
        "right_brow": range(17, 22),
        "left_brow": range(22, 27),
        "nose": range(27, 36),
        "right_eye": range(36, 42),
        "left_eye": range(42, 48),
        "mouth": range(48, 68),
    }
    flip = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]
    flip += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    flip += [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
    open_lines = [range(0, 17), range(17, 22), range(22, 27), range(27, 31), range(31, 36)]
    closed_lines = [range(36, 42), range(42, 48), range(48, 60), range(60, 68)]
    edges = [edge for line in open_lines for edge in _path(line)]
    edges += [edge for line in closed_lines for edge in _path(line, closed=True)]
    names = [f"{name}_{i}" for name, region in regions.items() for i in range(len(region))]
    indices = {name: tuple(region) for name, region in regions.items()}
    return KeypointSchema("ibug68", tuple(names), indices, tuple(flip), tuple(edges), (36, 45))


IBUG68 = _ibug68()
"""The 68 points of the iBUG / Multi-PIE annotation: jaw, brows, nose, eyes, mouth."""


def check_ibug68(schema: KeypointSchema, model: str, purpose: str) -> None:
    """Refuse a network that does not find the points of iBUG, whose meaning ``purpose`` knows.

    Raises:
        PointsError: It finds others.
    """
    if schema.names != IBUG68.names:
        found = f"{model} finds the {schema.count} points of {schema.name}"
        raise PointsError(f"{found}; {purpose} needs the {IBUG68.count} of iBUG")


_SIDES = re.compile("left|right", re.IGNORECASE)
_LETTERS = re.compile(
    r"(?<![a-zA-Z0-9])[lrLR](?![a-zA-Z])"  # l_eye, eye-l, l1
    r"|(?<=[a-z0-9])[LR](?![a-zA-Z])"  # EyeL
    r"|(?<![a-zA-Z0-9])[lrLR](?=[A-Z][a-z])"  # LEye, lEye
)
"""Letters that may stand for a side."""
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}


def _mirrored(name: str) -> str:
    """The name on the other side, in small letters."""
    sides = _SIDES if _SIDES.search(name) else _LETTERS
    return sides.sub(lambda side: _OTHER[side[0].lower()], name).lower()


def mirror_names(names: Sequence[str]) -> tuple[int, ...]:
    """Which point becomes which in a mirror image, from ``left`` and ``right`` in the names; an l
    or r of its own, as in ``l_eye`` or ``EyeL``, is a side where the other name is there, too.

    Raises:
        DataError: A point on the left or right has no partner on the other side.

    >>> mirror_names(["left_eye", "nose", "right_eye"]), mirror_names(["EyeL", "EyeR", "ear_l"])
    ((2, 1, 0), (1, 0, 2))
    """
    partners = [_mirrored(name) for name in names]
    place = {name.lower(): i for i, name in enumerate(names)}
    alone = [
        name
        for name, partner in zip(names, partners, strict=True)
        if partner not in place and _SIDES.search(name)
    ]
    if alone:
        raise DataError(
            f"{', '.join(alone)}: no point with the other side's name; "
            "list under `flip` what a mirror image swaps"
        )
    swapped = [place.get(partner, i) for i, partner in enumerate(partners)]
    # Of names that differ in case alone, one is the partner.
    return tuple(j if swapped[j] == i else i for i, j in enumerate(swapped))


def _public(
    name: str, points: str, norm_pair: tuple[int, int], lines: Sequence[range] = ()
) -> KeypointSchema:
    """A schema from the names of its points, which tell their regions and the mirror image."""
    names = tuple(points.split())
    regions: dict[str, tuple[int, ...]] = {}
    for i, point in enumerate(names):
        side, part = re.findall(r"^(right_|left_|)([a-z]+)", point)[0]
        part = {"chin": "jaw", "lip": "mouth", "pupil": "eye"}.get(part, part)
        region = f"{side}{part}" if part in ("brow", "eye") else part
        regions[region] = (*regions.get(region, ()), i)
    edges = tuple((i, i + 1) for line in lines for i in line[:-1])
    return KeypointSchema(name, names, regions, mirror_names(names), edges, norm_pair)


_WFLW_PARTS: Sequence[tuple[str, Sequence[int]]] = (
    *(("right_jaw", range(16)), ("chin", (0,)), ("left_jaw", range(15, -1, -1))),
    *(("right_brow", range(9)), ("left_brow", (4, 3, 2, 1, 0, 8, 7, 6, 5))),
    *(("nose", range(4)), ("right_nose", (0, 1)), ("nose", (4,)), ("left_nose", (1, 0))),
    *(("right_eye", range(8)), ("left_eye", (4, 3, 2, 1, 0, 7, 6, 5))),
    *(("right_mouth", range(3)), ("mouth", (0,)), ("left_mouth", (2, 1, 0, 3, 4))),
    *(("mouth", (1,)), ("right_mouth", (4, 3)), ("right_lip", (0, 1)), ("lip", (0,))),
    *(("left_lip", (1, 0, 2)), ("lip", (1,)), ("right_lip", (2,))),
    *(("right_pupil", (0,)), ("left_pupil", (0,))),
)
"""Of WFLW, in its order; points on the left are numbered as their partners on the right."""

WFLW98 = _public(
    "wflw98",
    " ".join(f"{part}_{i}" for part, numbers in _WFLW_PARTS for i in numbers),
    (60, 72),
    [
        *(range(33), range(33, 42), range(42, 51), range(51, 55), range(55, 60)),
        *(range(60, 68), range(68, 76), range(76, 88), range(88, 96)),
    ],
)
"""The 98 points of WFLW (Wu et al., CVPR 2018)."""

IBUG68_IN_WFLW98 = (
    *(*range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60), 60, 61, 63, 64, 65, 67),
    *(68, 69, 71, 72, 73, 75, *range(76, 96)),
)
"""The point of WFLW for each of iBUG's 68, as widely used."""

COFW29 = _public(
    "cofw29",
    "right_brow_outer left_brow_outer right_brow_inner left_brow_inner right_brow_upper "
    "right_brow_lower left_brow_upper left_brow_lower right_eye_outer left_eye_outer "
    "right_eye_inner left_eye_inner right_eye_upper right_eye_lower left_eye_upper left_eye_lower "
    "right_pupil left_pupil right_nose left_nose nose_tip nose_lower right_mouth left_mouth "
    "lip_upper_outer lip_upper_inner lip_lower_inner lip_lower_outer chin",
    (8, 9),
)
"""The 29 points of COFW (Burgos-Artizzu et al., ICCV 2013)."""

_BROWS_EYES = (
    "right_brow_outer right_brow_center right_brow_inner left_brow_inner left_brow_center "
    "left_brow_outer right_eye_outer right_eye_center right_eye_inner left_eye_inner "
    "left_eye_center left_eye_outer"
)
_NOSE, _MOUTH = "right_nose nose_tip left_nose", "right_mouth mouth_center left_mouth chin"
AFLW21 = _public("aflw21", f"{_BROWS_EYES} right_ear {_NOSE} left_ear {_MOUTH}", (6, 11))
"""The points of AFLW (Koestinger et al., ICCVW 2011), in its order."""
AFLW19 = _public("aflw19", f"{_BROWS_EYES} {_NOSE} {_MOUTH}", (6, 11))
"""The same without the ears, as most papers use them."""

PUPILS = _public("pupils", "right_pupil left_pupil", (0, 1))
"""The two points that stand beside those of a face's schema."""

SCHEMAS: Mapping[str, KeypointSchema] = MappingProxyType(
    {schema.name: schema for schema in (IBUG68, WFLW98, COFW29, AFLW19, AFLW21)}
)
"""The schemas that come with facedots, by name."""
