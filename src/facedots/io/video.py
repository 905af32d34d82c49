"""Video readers and writers, frame by frame: memory does not grow with the length.

PyAV reads and writes where it is installed (the extra ``video``): each frame keeps its exact time,
and sound is copied. Otherwise, and for cameras, OpenCV does, without sound and at a constant rate.
"""

import importlib.util
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facedots.errors import OutputError, VideoError
from facedots.geometry import Image
from facedots.io.files import Closable, protect
from facedots.types import check_image

ADDRESSES = ("rtsp://", "rtsps://", "http://", "https://")
"""Prefixes of readable network addresses."""

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
"""Writable file endings. MP4 and MOV keep any time exactly, MKV and WebM to the millisecond."""


@dataclass(frozen=True)
class Frame:
    """One image of a video, upright RGB ``uint8 (H, W, 3)``, at its exact time: seconds on the
    clock of the video, whose first frame need not be at 0.

    Example:
        >>> float(Frame(np.zeros((48, 64, 3), np.uint8), Fraction(1, 25)).time)
        0.04
    """

    image: Image
    time: Fraction


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to turn and mirror stored frames by quarters: first transposed, then
    flipped from left to right and from top to bottom.

    Example:
        >>> turned = Orientation(transposed=True, flip_x=True)  # a quarter clockwise
        >>> turned(np.array([[1, 2], [3, 4]], np.uint8)).tolist()
        [[3, 1], [4, 2]]
    """

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> "Orientation":
        """The nearest one for a display matrix, ``(9,)`` numbers ``a b u c d v x y w`` by which
        ``x' = a x + c y`` and ``y' = b x + d y``.

        >>> Orientation.from_matrix([0, 1, 0, -1, 0, 0, 0, 0, 1])
        Orientation(transposed=True, flip_x=True, flip_y=False)
        """
        a, b, c, d = (float(value) for value in np.ravel(matrix)[[0, 1, 3, 4]])
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    def __call__(self, image: Image) -> Image:
        """The image as it is to be shown."""
        if self.transposed:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if self.flip_x or self.flip_y:
            code = {(True, True): -1, (True, False): 1, (False, True): 0}
            image = np.asarray(cv2.flip(image, code[self.flip_x, self.flip_y]), np.uint8)
        return image


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its first frame.

    Attributes:
        width: In pixels, as :attr:`Frame.image` has them; so is ``height``.
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
    _is_begun = False

    def __iter__(self) -> Iterator[Frame]:
        """The frames; :class:`VideoError` after the last readable one of a file that is cut off or
        damaged, where the camera or the connection is gone, or where the reader is closed or was
        iterated before.
        """
        # Decoders crash the process where they go on with what is closed.
        closed = VideoError(f"{self.name}: is closed; iterate inside the with block")
        self.check_open(closed)
        if self._is_begun:
            raise VideoError(f"{self.name}: can be iterated once, and was; open it again")
        self._is_begun = True
        for frame in self._frames():
            yield frame
            self.check_open(closed)

    @abstractmethod
    def _frames(self) -> Iterator[Frame]:
        """The frames for :meth:`__iter__`."""


class VideoWriter(Closable):
    """A video file being written; whatever ends the writing, the frames so far become a valid file.
    Without a frame there is none.

    Attributes:
        path: The file; its ending decides the format.
        count: Frames written so far.

    Example:
        >>> with open_reader("clip.mp4") as video, open_writer("out.mp4", video) as writer:
        ...     for frame in video:  # doctest: +SKIP
        ...         writer.write(Frame(255 - frame.image, frame.time))
    """

    def __init__(self, path: str | Path, info: VideoInfo) -> None:
        self.path, self.count = Path(path), 0
        self._info = info
        if self.path.suffix.lower() not in VIDEO_SUFFIXES:
            raise OutputError(f"{self.path}: a video can be written as {', '.join(VIDEO_SUFFIXES)}")

    def write(self, frame: Frame) -> None:
        """Append a frame of the video's size at its time, or raise :class:`OutputError`."""
        self.check_open(OutputError(f"{self.path}: is closed; write inside the with block"))
        width, height = self._info.width, self._info.height
        rows, columns = check_image(frame.image).shape[:2]
        if (rows, columns) != (height, width):
            sizes = f"{width} x {height} pixels, frame {self.count + 1} has {columns} x {rows}"
            raise OutputError(f"{self.path}: the video has {sizes}")
        self._append(frame)
        self.count += 1

    @abstractmethod
    def _append(self, frame: Frame) -> None:
        """Write a frame of the right size."""


def open_reader(source: str | Path | int, rate: float | None = None) -> VideoReader:
    """Open a video file, a folder of images, a camera or a network stream.

    Args:
        source: A path, an address (``rtsp://``, ``http://`` …) or a camera's index; a string of
            digits is an index unless a file has that name.
        rate: Frames per second of a folder of images, by default 25; anything else has its own.

    Raises:
        VideoError: It cannot be opened, or a rate is given for another source than a folder.
    """
    text = str(source)
    name = without_password(text) if text.startswith(ADDRESSES) else text
    if rate is not None and not Path(text).is_dir():
        fault = "only a folder of images takes a frame rate; a video, camera or stream has its own"
        raise VideoError(f"{name}: {fault}")
    if text.startswith(ADDRESSES):
        return _open_stream(text, name)
    if Path(text).is_dir():
        from facedots.io.video_opencv import FolderReader

        return FolderReader(text) if rate is None else FolderReader(text, rate)
    if text.isdecimal() and not Path(text).exists():
        from facedots.io.video_opencv import CameraReader

        return CameraReader(int(text))
    if not Path(text).is_file():
        hint = "a camera is given by its index, a stream by its rtsp:// or http:// address"
        raise VideoError(f"{text}: no such file or folder; {hint}")
    protect([text])
    return _open_stream(str(Path(text).absolute()), text)


def open_writer(path: str | Path, source: VideoReader, *, sound: bool = True) -> VideoWriter:
    """Open a video file for the transformed frames of another one, with its size, its clock and,
    with PyAV, its sound, which is copied while the source is iterated.

    Raises:
        OutputError: Its ending is unknown, its format cannot hold the sound, or it cannot be made.
        VideoError: The source has sound to copy, and is closed.
    """
    if Path(path).exists() and Path(source.name).exists() and Path(path).samefile(source.name):
        raise OutputError(f"{path}: is the source itself; choose another name")
    if not has_pyav():
        from facedots.io.video_opencv import OpenCVWriter

        return OpenCVWriter(path, source.info)
    from facedots.io.video_pyav import PyAVReader
    from facedots.io.video_pyav_writer import PyAVWriter

    if not (sound and isinstance(source, PyAVReader) and source.sound):
        return PyAVWriter(path, source.info)
    source.check_open(VideoError(f"{source.name}: is closed, and so is its sound; open it again"))
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
