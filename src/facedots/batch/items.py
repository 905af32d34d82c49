"""The images in a part, one after the other, whatever holds them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from facedots.batch.sources import Part
from facedots.errors import ImageError
from facedots.geometry import Image
from facedots.io.images import SUFFIXES, decode_image
from facedots.io.inputs import is_url
from facedots.io.parquet import open_parquet
from facedots.io.remote import is_remote, open_binary, read_location
from facedots.io.tar_files import read_shard
from facedots.io.video import open_reader

_ROWS = 64

Place = tuple[str, int, float]
"""Source, frame and time of a row."""


@dataclass(frozen=True)
class Item:
    """An image of a part, to be read.

    Attributes:
        source: Its path or address; of an image in a tar ``tar://NAME::TAR``, as fsspec opens it;
            else that of its Parquet file or video.
        frame: Its number in its file, from 1.
        read: Gives the image, ``uint8 (H, W, 3)`` RGB.
        time: Seconds on the clock of a video; NaN of others.

    Example:
        >>> item = next(read_items(Part("images", ("/photos/a.jpg",))))
        >>> item.source, item.frame
        ('/photos/a.jpg', 1)
    """

    source: str
    frame: int
    read: Callable[[], Image]
    time: float = math.nan

    @property
    def place(self) -> "Place":
        """What its rows have of it."""
        return self.source, self.frame, self.time


def read_items(
    part: Part, max_pixels: int | None = None, frame_step: int | None = None
) -> Iterator[Item]:
    """The images of a part, in an order that never changes.

    Args:
        part: From :func:`~facedots.batch.sources.list_parts`.
        max_pixels: Images with more are refused.
        frame_step: Of a video, every such frame; by default all.

    Raises:
        DataError, VideoError, DownloadError: The file cannot be read on.
    """
    location = part.locations[0]
    if part.kind == "images":
        for name in part.locations:
            yield Item(name, 1, partial(read_location, name, max_pixels))
    elif part.kind == "tar":
        yield from _tar_items(location, max_pixels)
    elif part.kind == "parquet":
        yield from _parquet_items(location, part.column, part.row_group, max_pixels)
    else:
        yield from _video_items(location, frame_step or 1)


def is_image(name: str) -> bool:
    """Whether a file in a tar is one of its images, by its name."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _tar_items(location: str, max_pixels: int | None) -> Iterator[Item]:
    number = 0
    with open_binary(location) as file:
        for name, data in read_shard(file, location):
            if is_image(name):
                number += 1
                source = f"tar://{name}::{location}"
                read = partial(decode_image, data, source=source, max_pixels=max_pixels)
                yield Item(source, number, read)


def _parquet_items(
    location: str, column: str, row_group: int, max_pixels: int | None
) -> Iterator[Item]:
    with open_parquet(location) as table:
        groups = range(row_group)
        number = sum(table.metadata.row_group(group).num_rows for group in groups)
        batches = table.iter_batches(_ROWS, row_groups=[row_group], columns=[column])
        for batch in batches:
            for cell in batch.column(0).to_pylist():
                number += 1
                yield Item(
                    location, number, partial(_decode_cell, cell, location, number, max_pixels)
                )


def _decode_cell(cell: Any, location: str, number: int, max_pixels: int | None) -> Image:
    """The image in a cell: bytes, or a struct with them as data sets of Hugging Face have it."""
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    source = f"{location}: row {number}"
    if not isinstance(data, bytes):
        raise ImageError(f"{source}: has no bytes of an image")
    return decode_image(data, source=source, max_pixels=max_pixels)


def _video_items(location: str, frame_step: int) -> Iterator[Item]:
    if is_remote(location) and not is_url(location):
        raise ImageError(f"{location}: videos are read from files and http addresses; copy it")
    with open_reader(location) as video:
        for number, frame in enumerate(video, start=1):
            if (number - 1) % frame_step == 0:
                yield Item(location, number, partial(np.asarray, frame.image), float(frame.time))
