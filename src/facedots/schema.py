"""The meaning of keypoints: names, regions, mirror order, edges, and the pair that scales errors.

Left and right are the subject's: point 0 of the iBUG order lies on the subject's right, the left of
the image.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any


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
        if len(set(self.names)) != self.count:
            raise ValueError(f"schema {self.name}: point names repeat")
        if sorted(i for region in self.regions.values() for i in region) != everything:
            raise ValueError(f"schema {self.name}: every point must lie in exactly one region")
        if sorted(self.flip) != everything or any(self.flip[self.flip[i]] != i for i in everything):
            raise ValueError(f"schema {self.name}: flip must be a permutation that undoes itself")
        used = {i for pair in (*self.edges, self.norm_pair) for i in pair}
        if not used <= set(everything):
            raise ValueError(f"schema {self.name}: edges and norm_pair must be indices of points")

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
        """The ``norm_pair``, the subject's right one first; None where names and ``flip`` do not
        tell.

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
            raise ValueError(
                f"schema {self.name}: no point is called {name!r}; "
                f"the names go from {self.names[0]} to {self.names[-1]}"
            )
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
    flip = [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        *(45, 44, 43, 42, 47, 46),
        *(39, 38, 37, 36, 41, 40),
        *range(54, 47, -1),
        *range(59, 54, -1),
        *range(64, 59, -1),
        *range(67, 64, -1),
    ]
    open_lines = [range(0, 17), range(17, 22), range(22, 27), range(27, 31), range(31, 36)]
    closed_lines = [range(36, 42), range(42, 48), range(48, 60), range(60, 68)]
    edges = [edge for line in open_lines for edge in _path(line)]
    edges += [edge for line in closed_lines for edge in _path(line, closed=True)]
    return KeypointSchema(
        name="ibug68",
        names=tuple(
            f"{name}_{i}" for name, indices in regions.items() for i in range(len(indices))
        ),
        regions={name: tuple(indices) for name, indices in regions.items()},
        flip=tuple(flip),
        edges=tuple(edges),
        norm_pair=(36, 45),
    )


IBUG68 = _ibug68()
"""The 68 points of the iBUG / Multi-PIE annotation: jaw, brows, nose, eyes, mouth."""

SCHEMAS: Mapping[str, KeypointSchema] = MappingProxyType({IBUG68.name: IBUG68})
"""The schemas that come with facedots, by name."""
