"""What the points of somebody's own data mean: said by a ``schema.yaml`` beside them, or by names
in the annotations themselves.

A ``schema.yaml`` names the points in the order of the annotations, and the two whose distance
    scales errors::

    name: cat9
    points: [right_ear, left_ear, right_eye, left_eye, nose]
    norm_pair: [right_eye, left_eye]
    flip: [[right_ear, left_ear], [right_eye, left_eye]]   # change places in a mirror image; else
        told from the names
    edges: [[right_ear, left_ear]]                         # lines to draw; else none
    regions: {ears: [right_ear, left_ear], face: [right_eye, left_eye, nose]}   # each point once;
        else one region
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facedots.errors import DataError
from facedots.schema import IBUG68, KeypointSchema

SCHEMA_FILE = "schema.yaml"

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
    """The schema in a YAML file, as the head of this module shows it.

    Raises:
        DataError: The file cannot be read, or its parts do not fit together.
    """
    try:
        content = _SchemaFile.model_validate(yaml.safe_load(Path(file).read_text(encoding="utf-8")))
        place = {name: i for i, name in enumerate(content.points)}
        flip = (
            mirror_names(content.points) if content.flip is None else _swapped(content.flip, place)
        )
        return KeypointSchema(
            name=content.name,
            names=content.points,
            regions=_regions(content, place),
            flip=flip,
            edges=tuple((place[a], place[b]) for a, b in content.edges),
            norm_pair=(place[content.norm_pair[0]], place[content.norm_pair[1]]),
        )
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f"{file}: not a YAML file: {error}") from error
    except ValidationError as error:
        faults = [
            f"  {'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise DataError(
            "\n".join([f"{file}: not a schema", *faults, "docs/custom-data.md shows one"])
        ) from error
    except KeyError as error:
        raise DataError(
            f"{file}: {error} is none of its points: {', '.join(content.points)}"
        ) from error
    except (ValueError, DataError) as error:
        raise DataError(f"{file}: {error}") from error


def schema_beside(source: str | Path) -> KeypointSchema | None:
    """The schema of the ``schema.yaml`` in a folder, or beside a file; None where there is none."""
    path = Path(source)
    file = (path if path.is_dir() else path.parent) / SCHEMA_FILE
    return read_schema(file) if file.is_file() else None


def coco_schema(json_file: str | Path) -> KeypointSchema:
    """The schema that a COCO file tells itself: names and skeleton of its first category with
    keypoints.

    Left and right are told from the names (:func:`mirror_names`), and the ``norm_pair`` is
    :func:`furthest_pair`.

    Raises:
        DataError: There is no such category, or its names do not tell which point mirrors which.
    """
    try:
        content = json.loads(Path(json_file).read_text(encoding="utf-8"))
        category = next(entry for entry in content["categories"] if entry.get("keypoints"))
        names = tuple(map(str, category["keypoints"]))
        rows = [
            entry["keypoints"]
            for entry in content["annotations"]
            if entry["category_id"] == category["id"]
        ]
        points = np.asarray(rows, np.float64).reshape(len(rows), len(names), 3)
    except StopIteration as error:
        raise DataError(f"{json_file}: no category has keypoints; {_WRITE_ONE}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{json_file}: not a COCO keypoints file: {error!r}") from error
    edges = tuple((int(a) - 1, int(b) - 1) for a, b in category.get("skeleton", ()))
    seen = np.where(points[..., 2:] > 0, points[..., :2], np.nan)
    return _told(str(category.get("name", "keypoints")), names, seen, edges, json_file)


def csv_schema(csv_file: str | Path) -> KeypointSchema:
    """The schema that a CSV's header tells: ``name, nose_x, nose_y, left_eye_x, left_eye_y, …``.

    Raises:
        DataError: The header does not name the points.
    """
    lines = Path(csv_file).read_text(encoding="utf-8-sig").splitlines()
    cells = [cell.strip().strip('"') for cell in lines[0].split(",")[1:]] if lines else []
    pairs = list(zip(cells[::2], cells[1::2], strict=False))
    stems = [re.sub(r"[_. ]?[xX]$", "", x) for x, _ in pairs]
    named = all(
        stem and re.sub(r"[_. ]?[yY]$", "", y) == stem
        for stem, (_, y) in zip(stems, pairs, strict=True)
    )
    if len(pairs) == IBUG68.count:
        return IBUG68
    if len(cells) % 2 or len(pairs) < 2 or not named:
        raise DataError(
            f"{csv_file}: {len(pairs)} points a row, and the header does not say what they are: "
            f"call the columns nose_x, nose_y, left_eye_x, …, or else {_WRITE_ONE}"
        )
    rows = [line.split(",")[1:] for line in lines[1:] if line.strip()]
    numbers = [row for row in rows if len(row) == len(cells) and all(map(_is_number, row))]
    points = np.asarray(numbers, np.float64).reshape(-1, len(pairs), 2)
    return _told(Path(csv_file).stem, tuple(stems), points, (), csv_file)


def pts_schema(folder: str | Path) -> KeypointSchema:
    """The schema of ``.pts`` files, which can only be iBUG's 68 points, since such files name none.

    Raises:
        DataError: They hold another number of points.
    """
    first = next(iter(sorted(Path(folder).rglob("*.pts"))), None)
    text = first.read_text(errors="replace") if first else ""
    points = len(re.findall(r"^\s*[-+.\d][^{}:\n]*$", text, flags=re.MULTILINE))
    if points != IBUG68.count:
        raise DataError(
            f"{first or folder}: {points} points, and .pts files do not say what they are; {_WRITE_ONE}"
        )
    return IBUG68


def mirror_names(names: Sequence[str]) -> tuple[int, ...]:
    """Which point becomes which in a mirror image, told from ``left`` and ``right`` in the names.

    Raises:
        DataError: A point on the left has no partner on the right, or the other way round.

    >>> mirror_names(["left_eye", "nose", "right_eye"])
    (2, 1, 0)
    """
    place = {name: i for i, name in enumerate(names)}
    partners = [
        re.sub("left|right", lambda word: _OTHER[word[0].lower()], name, flags=re.IGNORECASE)
        for name in names
    ]
    lower = {name.lower(): i for name, i in place.items()}
    alone = [
        name for name, partner in zip(names, partners, strict=True) if partner.lower() not in lower
    ]
    if alone:
        raise DataError(
            f"{', '.join(alone)}: no point with the other side's name; say under `flip` what a mirror swaps"
        )
    return tuple(lower[partner.lower()] for partner in partners)


def furthest_pair(points: ArrayLike) -> tuple[int, int]:
    """The two points that lie furthest apart: by the median of their distance over faces ``(N, K,
    2)``, NaN left out.

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


_OTHER = {"left": "right", "right": "left"}
_WRITE_ONE = f"write a {SCHEMA_FILE} beside it, see docs/custom-data.md"


def _told(
    name: str,
    names: tuple[str, ...],
    points: ArrayLike,
    edges: tuple[tuple[int, int], ...],
    file: Any,
) -> KeypointSchema:
    """A schema from names alone; 68 points are iBUG's."""
    if len(names) == IBUG68.count:
        return IBUG68
    try:
        everything = {"points": tuple(range(len(names)))}
        return KeypointSchema(
            name, names, everything, mirror_names(names), edges, furthest_pair(points)
        )
    except (ValueError, DataError) as error:
        raise DataError(f"{file}: {error}; {_WRITE_ONE}") from error


def _swapped(pairs: Sequence[Pair], place: Mapping[str, int]) -> tuple[int, ...]:
    flip = list(range(len(place)))
    for a, b in pairs:
        flip[place[a]], flip[place[b]] = place[b], place[a]
    return tuple(flip)


def _regions(content: _SchemaFile, place: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    given = content.regions or {"points": content.points}
    return {region: tuple(place[name] for name in names) for region, names in given.items()}


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
