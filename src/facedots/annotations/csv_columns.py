"""What the columns of a CSV file hold, by its header row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facedots.io.images import SUFFIXES

_NAMES = (
    *("image", "image_name", "image_path", "img", "image_file", "filename", "file_name", "file"),
    *("path", "filepath", "file_path", "name", "source", "picture", "photo"),
)
"""Headers of a column of images, the likeliest first."""

_FACE_ID = ("face_id", "face")

_NUMBER_LAST = re.compile(r"(?P<label>|.*[_. -])(?P<axis>[xyXY])[_. -]?(?P<number>\d+)")
_AXIS_LAST = re.compile(r"(?P<label>.*?)(?:[_. -]|(?<=\d)|(?<=[a-z])(?=[XY]))(?P<axis>[xyXY])")
_AXIS_FIRST = re.compile(r"(?P<axis>[xyXY])[_. -](?P<label>.+)")
_AXIS_ALONE = re.compile(r"(?P<axis>[xyXY])(?P<label>)")

_PIXELS = re.compile(r"\s*\d+(\s+\d+){99,}\s*")


@dataclass(frozen=True)
class Columns:
    """Where a CSV file has what, by index of the column.

    Attributes:
        count: Columns of the header.
        labels: What the header calls each point; empty where it does not tell x from y.
        pairs: Of each point, its x and its y.
        image: The image's name; None where no column has it.
        pixels: The pixels of the image, as in Kaggle's file; None where no column has them.
        face_id: Tells the faces of an image apart.
        success: 0 where no face was found, as in the tables of OpenFace and of facedots.
        frame: The frame of a video.
    """

    count: int
    labels: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    image: int | None = 0
    pixels: int | None = None
    face_id: int | None = None
    success: int | None = None
    frame: int | None = None


def find_columns(header: Sequence[str], row: Sequence[str]) -> Columns:
    """The columns of a header, told by its names and by the first row of values.

    A header that calls no column x or y is taken as image, x, y, x, y, ….

    >>> find_columns(["y0", "x0", "file"], ["1", "2", "a.jpg"]).pairs
    ((1, 0),)
    """
    names = [re.sub(r"[\[\]()'\"]", "", cell).strip() for cell in header]
    labels, pairs = _points(names)
    if not pairs:
        pairs = tuple((x, x + 1) for x in range(1, len(names) - 1, 2))
        return Columns(len(names), (), pairs)
    used = {column for pair in pairs for column in pair}
    lower = [name.lower() for name in names]
    rest = [column for column in range(len(names)) if column not in used]

    def called(*wanted: str) -> int | None:
        return next((column for name in wanted for column in rest if lower[column] == name), None)

    tracked = called("success", "face", "face_id")
    return Columns(
        len(names),
        labels,
        pairs,
        image=_image(lower, rest, row, tracked is not None),
        pixels=next((i for i in rest if i < len(row) and _PIXELS.fullmatch(row[i])), None),
        face_id=called(*_FACE_ID),
        success=called("success"),
        frame=called("frame"),
    )


def _image(names: list[str], rest: list[int], row: Sequence[str], tracked: bool) -> int | None:
    """The column with the image's name: by the cells of a row, by the header, else the first."""
    cells = {i: row[i].partition("#")[0] for i in rest if i < len(row)}
    images = [i for i, cell in cells.items() if Path(cell).suffix.lower() in SUFFIXES]
    called = [rest[lower.index(n)] for n in _NAMES if n in (lower := [names[i] for i in rest])]
    fitting = [i for i in called if not _PIXELS.fullmatch(cells.get(i, ""))]
    if both := [i for i in fitting if i in images]:
        return both[0]
    first = [] if tracked else [i for i in rest if i == 0]
    return next(iter([*images, *fitting, *first]), None)


def _points(names: list[str]) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """The labels of the points, and the columns of x and of y of each.

    Where a point has both small and capital letters, the capitals are skipped: OpenFace's X and Y
    are millimeters.
    """
    places: dict[str, dict[str, list[int]]] = {axis: {} for axis in "xyXY"}
    for column, name in enumerate(names):
        for pattern in (_AXIS_ALONE, _NUMBER_LAST, _AXIS_LAST, _AXIS_FIRST):
            if match := pattern.fullmatch(name):
                groups = match.groupdict()
                label = f"{groups['label']}{groups.get('number') or ''}".strip("_. -")
                places[groups["axis"]].setdefault(label, []).append(column)
                break
    for axis in "xy":
        for label, columns in places[axis.upper()].items():
            places[axis].setdefault(label, columns)
    found = [
        (label, pair)
        for label, columns in places["x"].items()
        for pair in zip(columns, places["y"].get(label, ()), strict=False)
    ]
    found.sort(key=lambda each: min(each[1]))
    repeated = len({label for label, _ in found}) < len(found)
    labels = [str(i) if repeated else label for i, (label, _) in enumerate(found)]
    return tuple(labels), tuple(pair for _, pair in found)
