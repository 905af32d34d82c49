"""What the points of custom data mean: a ``schema.yaml`` beside them, names in the annotations, or
the number of points of a public data set.

A ``schema.yaml`` names the points in the order of the annotations, and the two whose distance
scales errors::

    name: cat9
    points: [right_ear, left_ear, right_eye, left_eye, nose]
    norm_pair: [right_eye, left_eye]
    # Optional: what a mirror image swaps (default: left and right in the names),
    flip: [[right_ear, left_ear], [right_eye, left_eye]]
    # lines to draw (default: none), and regions with each point once (default: one region).
    edges: [[right_ear, left_ear]]
    regions: {ears: [right_ear, left_ear], face: [right_eye, left_eye, nose]}
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facedots.errors import DataError
from facedots.io.yaml_files import field_faults, read_yaml
from facedots.schema import (
    AFLW19,
    AFLW21,
    COFW29,
    IBUG68,
    IBUG68_IN_WFLW98,
    WFLW98,
    KeypointSchema,
    mirror_names,
)

SCHEMA_FILE = "schema.yaml"
SCHEMA_HINT = f"write a {SCHEMA_FILE} beside it, see docs/custom-data.md"

Pair = tuple[str, str]


class _SchemaFile(BaseModel):
    """The fields of a ``schema.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    points: tuple[str, ...] = Field(min_length=2)
    norm_pair: Pair
    flip: tuple[Pair, ...] | None = None
    edges: tuple[Pair, ...] = ()
    regions: Mapping[str, tuple[str, ...]] | None = None


def read_schema(file: str | Path) -> KeypointSchema:
    """The schema in a YAML file of the form that this module's docstring shows.

    Raises:
        DataError: The file cannot be read, or its fields contradict each other.
    """
    fields = read_yaml(file, DataError)
    try:
        content = _SchemaFile.model_validate(fields)
        names = content.points
        place = {name: i for i, name in enumerate(names)}
        regions = content.regions or {"points": names}
        first, second = content.norm_pair
        return KeypointSchema(
            name=content.name,
            names=names,
            regions={name: tuple(place[n] for n in points) for name, points in regions.items()},
            flip=mirror_names(names) if content.flip is None else _swapped(content.flip, place),
            edges=tuple((place[a], place[b]) for a, b in content.edges),
            norm_pair=(place[first], place[second]),
        )
    except ValidationError as error:
        faults = field_faults(error.errors())
        lines = [f"{file}: not a schema", *faults, "docs/custom-data.md shows one"]
        raise DataError("\n".join(lines)) from error
    except KeyError as error:
        raise DataError(f"{file}: {error} is none of its points: {', '.join(names)}") from error
    except (ValueError, DataError) as error:
        raise DataError(f"{file}: {error}") from error


def schema_beside(*places: str | Path | None) -> KeypointSchema | None:
    """The schema of the first ``schema.yaml`` in a folder or beside a file; None where there is
    none.
    """
    paths = [Path(place) for place in places if place is not None]
    files = [(path if path.is_dir() else path.parent) / SCHEMA_FILE for path in paths]
    return next((read_schema(file) for file in files if file.is_file()), None)


def named_schema(
    name: str,
    names: tuple[str, ...],
    points: ArrayLike,
    edges: tuple[tuple[int, int], ...],
    file: Path,
) -> KeypointSchema:
    """A schema from the names of its points; 68 points are iBUG's, for numbers see
    :func:`schema_of_count`.

    Left and right in the names decide what a mirror image swaps; of the ``points`` ``(N, K, 2)``
    the two furthest apart become the ``norm_pair``.
    """
    if len(names) == IBUG68.count:
        return IBUG68
    if not names or numbered_labels(names, len(names)):
        if schema := schema_of_count(len(names), file):
            return schema
        raise DataError(f"{file}: its {len(names)} points have no names; {SCHEMA_HINT}")
    if len(names) == 1:
        raise DataError(f"{file}: one point per face; two are needed, whose distance scales errors")
    try:
        regions = {"points": tuple(range(len(names)))}
        flip, norm_pair = mirror_names(names), furthest_pair(points)
        return KeypointSchema(name, names, regions, flip, edges, norm_pair)
    except (ValueError, DataError) as error:
        raise DataError(f"{file}: {error}; {SCHEMA_HINT}") from error


def point_order(labels: Sequence[str], schema: KeypointSchema) -> list[int]:
    """Where each of the schema's points is among the labels that a file gives to its points.

    By the schema's names, whatever their order; else by number, as in ``p2, p10, p1``; else as
    written. With names or numbers there may be further labels. iBUG's points are taken out of
    WFLW's 98.

    Raises:
        DataError: There are too few or too many, or some are the schema's, in another order.

    >>> point_order([f"p{i}" for i in range(68, 0, -1)], IBUG68)[:2]
    [67, 66]
    """
    place = {_plain(label): i for i, label in reversed(list(enumerate(labels)))}
    missing = [name for name in schema.names if _plain(name) not in place]
    if not missing:
        return [place[_plain(name)] for name in schema.names]
    if numbered := numbered_labels(labels, schema.count):
        return numbered
    if schema == IBUG68 and len(labels) == WFLW98.count:
        numbers = numbered_labels(labels, WFLW98.count) or range(WFLW98.count)
        return [numbers[i] for i in IBUG68_IN_WFLW98]
    if len(labels) != schema.count:
        raise DataError(f"{len(labels)} points are named, {schema.count} expected")
    known = [name for name in map(_plain, schema.names) if name in place]
    if any(_plain(schema.names[place[name]]) != name for name in known):
        few = f"{', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}"
        raise DataError(f"no point is called {few}, as the schema {schema.name} wants")
    return list(range(schema.count))


def numbered_labels(labels: Sequence[str], count: int) -> list[int]:
    """The places of ``count`` labels that differ in a number, in its order; else nothing.

    >>> numbered_labels(["x", "p2", "p10", "p1"], 3)
    [3, 1, 2]
    """
    groups: dict[str, dict[int, int]] = {}
    for i, label in enumerate(labels):
        if match := re.fullmatch(r"(.*?)([0-9]{1,9})", label.strip()):
            groups.setdefault(match[1].lower(), {}).setdefault(int(match[2]), i)
    fitting = [group for group in groups.values() if len(group) == count]
    return [fitting[0][number] for number in sorted(fitting[0])] if fitting else []


def _plain(label: str) -> str:
    return re.sub(r"[_. -]+", "_", label.strip().lower())


def furthest_pair(points: ArrayLike) -> tuple[int, int]:
    """The two points with the largest median distance over faces ``(N, K, 2)``, NaN left out.

    >>> furthest_pair([[[0, 0], [1, 0], [9, 0]]])
    (0, 2)
    """
    faces = np.asarray(points, np.float64)
    distances = np.linalg.norm(faces[:, :, None] - faces[:, None], axis=-1)
    known = np.isfinite(distances).any(axis=0)
    median = np.full(known.shape, -1.0)
    median[known] = np.nanmedian(distances[:, known], axis=0)
    first, second = np.unravel_index(int(np.argmax(np.triu(median, 1))), median.shape)
    return int(first), int(second)


def _swapped(pairs: Sequence[Pair], place: Mapping[str, int]) -> tuple[int, ...]:
    flip = list(range(len(place)))
    for a, b in pairs:
        flip[place[a]], flip[place[b]] = place[b], place[a]
    return tuple(flip)


def schema_of_count(count: int, source: Path) -> KeypointSchema | None:
    """The public schema of points without names, by their number: 68 are iBUG's and 98 WFLW's; 29
    are COFW's, 19 and 21 AFLW's where the path names the set.
    """
    place = str(source.absolute()).lower()
    schemas = [IBUG68, WFLW98, *([COFW29] if "cofw" in place else [])]
    schemas += [AFLW19, AFLW21] if "aflw" in place else []
    return next((schema for schema in schemas if schema.count == count), None)
