"""The sources of a batch, cut into parts that depend on nothing but the sources and options."""

import csv
import glob
import io
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from facedots.errors import DataError, ImageError
from facedots.io.images import SUFFIXES
from facedots.io.inputs import Names, each_name, find_images, is_url
from facedots.io.parquet import DamagedError, load_pyarrow, open_parquet
from facedots.io.remote import find_remote, is_remote, open_binary
from facedots.io.tar_files import SHARD_SUFFIXES
from facedots.io.video import VIDEO_SUFFIXES

LIST_SUFFIXES = (".csv", ".txt")
_READ_AS_VIDEO = (*VIDEO_SUFFIXES, ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv", ".ts")
COLUMNS = ("image", "path", "file", "url", "source")
"""Names of columns, of which the first one in a table is taken, unless another is given."""


@dataclass(frozen=True)
class Part:
    """What one process works on at a time, and one file of the result holds.

    Attributes:
        kind: Whether it is a list of images, or one tar shard, row group of Parquet, or video.
        locations: Absolute paths or addresses of the images; else one, of the file.
        column: Of Parquet, the one with the images.
        row_group: Of Parquet, from 0.

    Example:
        >>> Part("tar", ("s3://faces/0000.tar",)).kind
        'tar'
    """

    kind: Literal["images", "tar", "parquet", "video"]
    locations: tuple[str, ...]
    column: str = ""
    row_group: int = 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Part":
        """A part that was written as JSON."""
        return cls(**{**values, "locations": tuple(values["locations"])})


def list_parts(
    sources: Names,
    part_size: int,
    recursive: bool = False,
    column: str | None = None,
    on_skip: Callable[[str], object] | None = None,
) -> list[Part]:
    """Cut sources into parts; what is named twice is taken once.

    Args:
        sources: Images, folders, patterns, tar shards, Parquet files, lists (CSV or text), videos;
            local ones, or addresses of http and fsspec.
        part_size: Images in a part.
        recursive: Search the folders of folders as well.
        column: Of Parquet files and lists; by default the first of :data:`COLUMNS`.
        on_skip: Gets a line for each folder or pattern in which something was skipped.

    Raises:
        DataError: A list cannot be read, or has no such column.
        ImageError: A named file or folder is not there, a folder or a pattern has no image, or all
            lists are empty.
        DownloadError: An address cannot be searched.
    """
    sources = each_name(sources)
    named = [source for source in sources if not is_remote(source) and not glob.has_magic(source)]
    missing = [source for source in named if source and not os.path.lexists(source)]
    if missing:
        raise ImageError(f"{', '.join(missing)}: no such file or folder")
    locations = dict.fromkeys(_locations(sources, recursive, column, on_skip))
    parts = list(_cut(locations, part_size, column))
    if not parts:
        raise ImageError(f"{', '.join(sources)}: no images are listed here")
    return parts


def _cut(locations: Iterable[str], part_size: int, column: str | None) -> Iterator[Part]:
    images = list[str]()
    for location in locations:
        name = _file_name(location)
        if name.endswith(".parquet"):
            yield from _row_groups(location, column)
        elif name.endswith(SHARD_SUFFIXES):
            yield Part("tar", (location,))
        elif name.endswith(_READ_AS_VIDEO):
            yield Part("video", (location,))
        else:
            images.append(location)
            if len(images) == part_size:
                yield Part("images", tuple(images))
                images.clear()
    if images:
        yield Part("images", tuple(images))


def absolute(source: str) -> str:
    """A source by a name that holds in every folder and, for shared files, on every machine."""
    if not source or is_remote(source):
        return source
    return os.path.abspath(source)  # noqa: PTH100 (a pattern)


def _locations(
    sources: Iterable[str],
    recursive: bool,
    column: str | None,
    on_skip: Callable[[str], object] | None,
) -> Iterator[str]:
    """Every file that the sources name, those in lists included."""
    for source in map(absolute, sources):
        if is_remote(source):
            found = find_remote(source, SUFFIXES, recursive)
        else:
            images = find_images(source, recursive, on_skip=on_skip, only_files=False)
            found = [image.location for image in images]
        for location in found:
            if _file_name(location).endswith(LIST_SUFFIXES):
                yield from _listed(location, _read_list(location, column))
            elif _file_name(location).endswith(".parquet"):
                paths = _read_paths(location, column)
                yield from [location] if paths is None else _listed(location, paths)
            else:
                yield location


def _file_name(location: str) -> str:
    """What tells the kind of a file, in lower case; signed addresses have a query behind it."""
    return (urlsplit(location).path if is_url(location) else location).lower()


def _listed(table: str, names: Iterable[str]) -> Iterator[str]:
    """Locations from a table, where a relative one is beside it."""
    folder = table.rpartition("/")[0] if is_remote(table) else str(Path(table).parent)
    for name in filter(None, map(str.strip, names)):
        if is_remote(name) or is_remote(table):
            yield name if is_remote(name) else _beside(folder, name)
        else:
            yield absolute(os.path.join(folder, name))  # noqa: PTH118 (a million of them)


def _beside(folder: str, name: str) -> str:
    """The address of a file by its path from a folder; stores know no ``..``."""
    scheme, _, path = f"{folder}/{name}".partition("://")
    return f"{scheme}://{posixpath.normpath(path)}"


def _read_list(location: str, column: str | None) -> list[str]:
    """The cells of a column of CSV, or the lines of a text or of CSV with one column."""
    try:
        with open_binary(location) as file:
            text = file.read().decode()
        if _file_name(location).endswith(".txt"):
            return text.splitlines()
        rows = [row for row in csv.reader(io.StringIO(text, ""), strict=True) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{location}: not a list that can be read: {error}") from error
    head = rows[0] if rows else []
    if column is None and len(head) == 1 and head[0] not in COLUMNS:
        return [row[0] for row in rows]
    index = head.index(_choose_column(location, head, column))
    return [row[index] for row in rows[1:] if index < len(row)]


def _read_paths(location: str, column: str | None) -> list[str] | None:
    """The column of paths of a Parquet file; None where it holds images, or cannot be read."""
    kinds = load_pyarrow().types
    try:
        with open_parquet(location) as table:
            name = _choose_column(location, table.schema_arrow.names, column)
            kind = table.schema_arrow.field(name).type
            kind = kind.value_type if kinds.is_dictionary(kind) else kind
            if str(kind) in ("string", "large_string", "string_view"):
                return [path or "" for path in table.read(columns=[name])[name].to_pylist()]
    except DamagedError:
        pass  # its part will say so
    return None


def _row_groups(location: str, column: str | None) -> Iterator[Part]:
    """A part a row group; one that says what is wrong where the file cannot be read."""
    try:
        with open_parquet(location) as table:
            name = _choose_column(location, table.schema_arrow.names, column)
            parts = [Part("parquet", (location,), name, i) for i in range(table.num_row_groups)]
    except DamagedError:
        parts = [Part("parquet", (location,))]
    yield from parts


def _choose_column(location: str, names: Sequence[str], column: str | None) -> str:
    """The column with the images or their paths."""
    for name in (column,) if column else COLUMNS:
        if name in names:
            return name
    wanted = f"no column {column}" if column else f"none of the columns {', '.join(COLUMNS)}"
    raise DataError(f"{location}: {wanted}; name one with --column: {', '.join(names[:20])}")
