"""Moving images in and out, one frame at a time: an hour of video takes no more memory than a
minute.

PyAV reads and writes them where it is installed (the extra ``video``); then every frame keeps its
exact time and sound is copied. OpenCV does it otherwise, without sound and at a constant rate, and
always for cameras.
"""

import importlib.util
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from facedots.errors import ImageError, OutputError, VideoError
from facedots.geometry import Image
from facedots.io.images import SUFFIXES, read_image
from facedots.types import check_image

ADDRESSES = ("rtsp://", "rtsps://", "http://", "https://")
"""How the network addresses begin that can be read."""

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
"""File endings that can be written. MP4 and MOV keep any time exactly, MKV and WebM to the
millisecond.
"""


@dataclass(frozen=True)
class Frame:
    """One image of a video.

    Attributes:
        image: RGB, ``uint8 (H, W, 3)``, turned upright where the file says how.
        time: Seconds on the clock of the source, exact; the first frame's need not be 0.
    """

    image: Image
    time: Fraction


@dataclass(frozen=True)
class VideoInfo:
    """What a source tells before its first frame.

    Attributes:
        width: In pixels, as :attr:`Frame.image` has them.
        height: In pixels.
        rate: Frames a second, on average; a file may say it wrongly.
        time_base: The unit, in seconds, in which the source counts time.
        frames: About how many frames will come; ``None`` where nobody knows.
        pixel_aspect: Width over height of one pixel on the screen.
    """

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    frames: int | None
    pixel_aspect: Fraction = Fraction(1)


class VideoSource(ABC):
    """Frames in order; use it as a context manager, iterate once.

    Attributes:
        name: What to call the source in messages and tables; a password in an address is left out.
        info: What is known before the first frame.
    """

    name: str
    info: VideoInfo

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """The frames.

        Raises:
            VideoError: The file is cut off or damaged, the camera or the connection is gone. All
                frames before it were given.
        """

    @abstractmethod
    def close(self) -> None:
        """Give files and devices back; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class VideoSink(ABC):
    """A video file being written; whatever ends the writing, what was written so far becomes a
    valid file of that name.

    The file is written beside its place under a temporary name and renamed by :meth:`close`. No
    frame, no file.

    Args:
        path: The file; its ending decides the format.

    Attributes:
        path: The file.
        count: Frames written so far.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.count = 0
        if self.path.suffix.lower() not in VIDEO_SUFFIXES:
            raise OutputError(f"{self.path}: a video can be written as {', '.join(VIDEO_SUFFIXES)}")

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Append a frame, at its time.

        Raises:
            OutputError: It has another size than the first one, or the file cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the file and give it its name; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def check(self, image: Image, width: int, height: int) -> None:
        """Refuse an image that does not fit the video."""
        given = check_image(image).shape
        if given[:2] != (height, width):
            raise OutputError(
                f"{self.path}: the video has {width} x {height} pixels, frame {self.count + 1} has {given[1]} x {given[0]}"
            )


class FolderSource(VideoSource):
    """The images of a folder as a video, in the order of their names, where ``frame_2`` comes
    before ``frame_10``.

    Args:
        folder: Holds the images; other files and folders in it are passed over.
        rate: Frames a second.

    Raises:
        VideoError: There is no image, or the rate is not positive.
        ImageError: The first image cannot be read.
    """

    def __init__(self, folder: str | Path, rate: float | Fraction = 25) -> None:
        self.name = str(folder)
        if rate <= 0:
            raise VideoError(f"{folder}: {rate} frames a second; the rate must be positive")
        named = (
            file
            for file in Path(folder).iterdir()
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        )
        self._files = sorted(named, key=_natural)
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


def open_source(source: str | Path | int, rate: float | None = None) -> VideoSource:
    """The frames of a file, a folder of images, a camera (its index) or a network address
    (``rtsp://``, ``http://`` …).

    Args:
        source: Path, address or index; a string of digits is an index unless a file has that name.
        rate: Frames a second of a folder of images, where it is not 25.

    Raises:
        VideoError: It cannot be opened; the message says why.
    """
    text = str(source)
    if text.startswith(ADDRESSES):
        return _open_stream(text, without_password(text))
    if Path(text).is_dir():
        return FolderSource(text) if rate is None else FolderSource(text, rate)
    if text.isdecimal() and not Path(text).exists():
        from facedots.io.video_opencv import CameraSource

        return CameraSource(int(text))
    if not Path(text).is_file():
        raise VideoError(
            f"{text}: no such file or folder; a camera is given by its index, a stream by its rtsp:// or http:// address"
        )
    return _open_stream(str(Path(text).absolute()), text)


def open_sink(path: str | Path, source: VideoSource, *, sound: bool = True) -> VideoSink:
    """A video file for the frames of a source, with its size, its clock and, where PyAV has opened
    it, its sound.

    Args:
        path: The file to write.
        source: What is being transformed; the sound is copied while it is iterated.
        sound: False leaves the sound out.

    Raises:
        OutputError: The ending is unknown, the format cannot hold the sound, or the folder cannot
            be written.
    """
    if Path(path).exists() and Path(source.name).exists() and Path(path).samefile(source.name):
        raise OutputError(f"{path}: is the source itself; choose another name")
    if not has_pyav():
        from facedots.io.video_opencv import OpenCVSink

        return OpenCVSink(path, source.info)
    from facedots.io.video_pyav import PyAVSink, PyAVSource

    sounding = source if sound and isinstance(source, PyAVSource) else None
    sink = PyAVSink(path, source.info, sounding.sound if sounding else None)
    if sounding:
        sounding.take_sound = sink.write_sound
    return sink


def has_pyav() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def without_password(address: str) -> str:
    """An address as it may be shown.

    >>> without_password("rtsp://admin:secret@camera.local:554/1")
    'rtsp://camera.local:554/1'
    """
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _open_stream(path: str, name: str) -> VideoSource:
    """A file or an address through PyAV, else OpenCV."""
    if has_pyav():
        from facedots.io.video_pyav import PyAVSource

        return PyAVSource(path, name)
    from facedots.io.video_opencv import OpenCVSource

    return OpenCVSource(path, name)


def _natural(file: Path) -> list[Any]:
    """A sort key that takes the numbers in a name as numbers."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]
