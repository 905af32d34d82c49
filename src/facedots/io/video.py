"""Video readers and writers, frame by frame: memory does not grow with the length.

PyAV reads and writes where it is installed (the extra ``video``): each frame keeps its exact time,
and sound is copied. Otherwise, and for cameras, OpenCV does, without sound and at a constant rate.
"""

import importlib.util
import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from facedots.errors import ImageError, OutputError, VideoError
from facedots.geometry import Image
from facedots.io.files import Closable, protect
from facedots.io.images import SUFFIXES, is_image_file, read_image
from facedots.types import check_image

ADDRESSES = ("rtsp://", "rtsps://", "http://", "https://")
"""Prefixes of readable network addresses."""

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
"""Writable file endings. MP4 and MOV keep any time exactly, MKV and WebM to the millisecond."""


@dataclass(frozen=True)
class Frame:
    """One image of a video.

    Attributes:
        image: RGB, ``uint8 (H, W, 3)``, upright.
        time: Exact seconds on the clock of the video; the first frame's need not be 0.

    Example:
        >>> import numpy as np
        >>> frame = Frame(np.zeros((48, 64, 3), np.uint8), Fraction(1, 25))
        >>> float(frame.time)
        0.04
    """

    image: Image
    time: Fraction


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its first frame.

    Attributes:
        width: In pixels, as :attr:`Frame.image` has them.
        height: In pixels.
        rate: Average frames per second, as the file states them.
        time_base: Unit of the video's clock, in seconds.
        frames: Approximate number of frames; ``None`` where unknown.
        pixel_aspect: Width over height of one displayed pixel.

    Example:
        >>> VideoInfo(640, 480, Fraction(25), Fraction(1, 25), None).pixel_aspect
        Fraction(1, 1)
    """

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    frames: int | None
    pixel_aspect: Fraction = Fraction(1)


class VideoReader(Closable):
    """The frames of a video, camera or stream in order; a context manager, to be iterated once.

    Attributes:
        name: Its name in messages and tables, without a password in an address.
        info: What is known before the first frame.
        damaged: Frames so far that the decoder refused or gave only in part; OpenCV never tells.

    Example:
        >>> with open_reader("clip.mp4") as video:  # doctest: +SKIP
        ...     for frame in video:
        ...         faces = pipeline(frame.image)
    """

    name: str
    info: VideoInfo
    damaged: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """The frames.

        Raises:
            VideoError: The file is cut off or damaged, or the camera or the connection is gone,
                after the last readable frame.
        """


class VideoWriter(Closable):
    """A video file being written; whatever ends the writing, the frames so far become a valid file.

    The file grows under a temporary name; :meth:`close` renames it. Without a frame there is no
    file.

    Args:
        path: The file; its ending decides the format.

    Attributes:
        path: The file.
        count: Frames written so far.

    Example:
        >>> with open_reader("clip.mp4") as video, open_writer("out.mp4", video) as writer:
        ...     for frame in video:  # doctest: +SKIP
        ...         writer.write(Frame(255 - frame.image, frame.time))
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.count = 0
        if self.path.suffix.lower() not in VIDEO_SUFFIXES:
            raise OutputError(f"{self.path}: a video can be written as {', '.join(VIDEO_SUFFIXES)}")

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Append a frame at its time.

        Raises:
            OutputError: Its size is not the video's, or the file cannot be written.
        """

    def check(self, image: Image, width: int, height: int) -> None:
        """Raise :class:`OutputError` unless an image has the video's size."""
        rows, columns = check_image(image).shape[:2]
        if (rows, columns) != (height, width):
            raise OutputError(
                f"{self.path}: the video has {width} x {height} pixels, "
                f"frame {self.count + 1} has {columns} x {rows}"
            )


class FolderReader(VideoReader):
    """The images of a folder as a video, sorted by name with ``frame_2`` before ``frame_10``.

    Args:
        folder: Holds the images; other files and folders in it are ignored.
        rate: Frames per second.

    Raises:
        VideoError: There is no image, or the rate is not positive.
        ImageError: The first image cannot be read.
    """

    def __init__(self, folder: str | Path, rate: float | Fraction = 25) -> None:
        self.name = str(folder)
        if rate <= 0:
            raise VideoError(f"{folder}: {rate} frames per second; the rate must be positive")
        self._files = sorted(filter(is_image_file, Path(folder).iterdir()), key=_natural)
        if not self._files:
            raise VideoError(f"{folder}: no images in it; looked for {', '.join(sorted(SUFFIXES))}")
        height, width = read_image(self._files[0]).shape[:2]
        exact = Fraction(rate).limit_denominator(1001)
        self.info = VideoInfo(width, height, exact, 1 / exact, len(self._files))

    def __iter__(self) -> Iterator[Frame]:
        """The images.

        Raises:
            VideoError: One cannot be read.
        """
        for number, file in enumerate(self._files):
            try:
                image = read_image(file)
            except ImageError as error:
                raise VideoError(str(error)) from error
            yield Frame(image, number / self.info.rate)

    def close(self) -> None:
        """Nothing is kept open."""


def open_reader(source: str | Path | int, rate: float | None = None) -> VideoReader:
    """Open a video file, a folder of images, a camera or a network stream for reading.

    Args:
        source: A path, an address (``rtsp://``, ``http://`` …) or a camera's index; a string of
            digits is an index unless a file has that name.
        rate: Frames per second of a folder of images, by default 25.

    Raises:
        VideoError: It cannot be opened; the message says why.
    """
    text = str(source)
    if text.startswith(ADDRESSES):
        return _open_stream(text, without_password(text))
    if Path(text).is_dir():
        return FolderReader(text) if rate is None else FolderReader(text, rate)
    if text.isdecimal() and not Path(text).exists():
        from facedots.io.video_opencv import CameraReader

        return CameraReader(int(text))
    if not Path(text).is_file():
        raise VideoError(
            f"{text}: no such file or folder; a camera is given by its index, "
            "a stream by its rtsp:// or http:// address"
        )
    protect([text])
    return _open_stream(str(Path(text).absolute()), text)


def open_writer(path: str | Path, source: VideoReader, *, sound: bool = True) -> VideoWriter:
    """Open a video file for the transformed frames of another one, with its size, its clock and,
    with PyAV, its sound.

    Args:
        path: The file to write.
        source: The video that is being transformed; the sound is copied while it is iterated.
        sound: Copy the sound.

    Raises:
        OutputError: The ending is unknown, the format cannot hold the sound, or the folder cannot
            be written.
    """
    if Path(path).exists() and Path(source.name).exists() and Path(path).samefile(source.name):
        raise OutputError(f"{path}: is the source itself; choose another name")
    if not has_pyav():
        from facedots.io.video_opencv import OpenCVWriter

        return OpenCVWriter(path, source.info)
    from facedots.io.video_pyav import PyAVReader, PyAVWriter

    if not sound or not isinstance(source, PyAVReader):
        return PyAVWriter(path, source.info)
    writer = PyAVWriter(path, source.info, source.sound)
    source.on_sound = writer.write_sound
    return writer


def fit_image(image: Image, width: int, height: int) -> Image:
    """An image as large as it fits into ``width`` x ``height`` pixels, in the middle of black.

    >>> fit_image(np.full((2, 2, 3), 255, np.uint8), 4, 2)[..., 0].tolist()
    [[0, 255, 255, 0], [0, 255, 255, 0]]
    """
    rows, columns = image.shape[:2]
    if (columns, rows) == (width, height):
        return image
    zoom = min(width / columns, height / rows)
    size = (max(1, round(columns * zoom)), max(1, round(rows * zoom)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    fitted = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    fitted[top : top + size[1], left : left + size[0]] = small
    return fitted


def has_pyav() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def without_password(address: str) -> str:
    """An address as messages show it.

    >>> without_password("rtsp://admin:secret@camera.local:554/1")
    'rtsp://camera.local:554/1'
    """
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _open_stream(path: str, name: str) -> VideoReader:
    """A file or an address, through PyAV or else OpenCV."""
    if has_pyav():
        from facedots.io.video_pyav import PyAVReader

        return PyAVReader(path, name)
    from facedots.io.video_opencv import OpenCVReader

    return OpenCVReader(path, name)


def _natural(file: Path) -> list[Any]:
    """A sort key that compares the numbers in a name as numbers."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]
