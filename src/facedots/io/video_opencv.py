"""Video without PyAV, through OpenCV: cameras, folders of images, and files, without sound and at a
constant rate.
"""

import logging
import os
import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from facedots.errors import DEBUG, ImageError, OutputError, VideoError
from facedots.geometry import Image
from facedots.io.files import AtomicFile, protect
from facedots.io.images import SUFFIXES, read_image
from facedots.io.inputs import find_images
from facedots.io.text import is_utf8
from facedots.io.video import ADDRESSES, Frame, Orientation, VideoInfo, VideoReader, VideoWriter

LOG = logging.getLogger("facedots")

_TICK = Fraction(1, 90_000)
"""The clock of cameras and of files that OpenCV reads."""

_FIX = "rename it, or pip install 'facedots[video]', which can"

_TOLERANCE = 1.0
"""Seconds by which a file may be shorter than stated; OpenCV gives lengths only in frames."""

_CODECS = {".webm": "VP90"}

_MAX_BOXES = 10_000
"""Boxes of an MP4 or MOV file after which a search ends; videos have some dozens."""

_FOLDERS = (b"moov", b"trak", b"mdia")
_HEADERS = {b"mvhd": (36, 48), b"tkhd": (40, 52)}
"""Where the display matrix begins in a box of version 0 and 1."""


class _Capture(VideoReader):
    _capture: cv2.VideoCapture

    def _close(self) -> None:
        """Release the file, the connection or the camera."""
        self._capture.release()


class OpenCVReader(_Capture):
    """A video file or a network stream, by path or address; ``name`` is for messages.

    Raises:
        VideoError: OpenCV cannot open it.
    """

    def __init__(self, path: str, name: str | None = None) -> None:
        self.name = name or path
        if not is_utf8(path):
            raise VideoError(f"{self.name}: cannot be opened: its name is not UTF-8; {_FIX}")
        self._capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise VideoError(
                f"{self.name}: cannot be opened: OpenCV does not know its codec, it is cut off, or "
                "the address does not answer; pip install 'facedots[video]' reads more formats and "
                "says more"
            )
        self._live = path.startswith("rtsp")
        self._orientation = None if path.startswith(ADDRESSES) else file_orientation(path)
        if self._orientation:
            self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        self.info = _information(self._capture, Fraction(25))
        if self._orientation and self._orientation.transposed:
            self.info = replace(self.info, width=self.info.height, height=self.info.width)

    def _frames(self) -> Iterator[Frame]:
        """The frames, upright."""
        count, reached = 0, 0.0
        while (image := _read(self._capture)) is not None:
            count += 1
            reached = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            upright = self._orientation(image) if self._orientation else image
            yield Frame(upright, round(reached / _TICK) * _TICK)
        length = self.info.frames / self.info.rate if self.info.frames else 0
        if self._live or not count or reached + float(1 / self.info.rate) < length - _TOLERANCE:
            total = f" of about {self.info.frames}" if self.info.frames else ""
            fault = "damaged, cut off or disconnected"
            raise VideoError(f"{self.name}: {fault} after frame {count}{total}")


class FolderReader(VideoReader):
    """The images of a folder as a video, sorted by name with ``frame_2`` before ``frame_10``. One
    that cannot be read is a damaged frame: it is named in a warning, and its time passes.

    Args:
        folder: Holds the images; a warning names and counts what else is in it.
        rate: Frames per second.

    Raises:
        VideoError: There is no image that can be read, or the rate is not positive.
    """

    def __init__(self, folder: str | Path, rate: float | Fraction = 25) -> None:
        self.name = str(folder)
        if rate <= 0:
            raise VideoError(f"{folder}: {rate} frames per second; the rate must be positive")
        try:
            found = find_images(self.name, on_error=LOG.warning, on_skip=LOG.warning)
        except ImageError as error:
            looked = f"looked for {', '.join(sorted(SUFFIXES))}"
            raise VideoError(f"{folder}: no images in it; {looked}") from error
        self._files = sorted((Path(image.location) for image in found), key=_natural)
        protect(self._files)
        height, width = self._first_image().shape[:2]
        exact = Fraction(rate).limit_denominator(1001)
        self.info = VideoInfo(width, height, exact, 1 / exact, len(self._files))

    def _frames(self) -> Iterator[Frame]:
        """The images that can be read."""
        for number, file in enumerate(self._files):
            try:
                image = read_image(file)
            except ImageError as error:
                LOG.warning(str(error))
                self.damaged += 1
                continue
            yield Frame(image, number / self.info.rate)

    def _close(self) -> None:
        """Nothing is kept open."""

    def _first_image(self) -> Image:
        """The first image that can be read, which has the video's size."""
        fault: ImageError | None = None
        for file in self._files:
            try:
                return read_image(file)
            except ImageError as error:
                fault = fault or error
        raise VideoError(f"{self.name}: no image in it can be read; {fault}") from fault


class CameraReader(_Capture):
    """A camera of this machine, by its number from 0; a frame's time is its arrival, from 0.

    Raises:
        VideoError: There is no such camera, or another program uses it.
    """

    def __init__(self, index: int) -> None:
        self.name = f"camera {index}"
        with _silent_opencv():
            self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            hint = "is it plugged in, and free of other programs?"
            raise VideoError(f"{self.name}: cannot be opened; {hint}")
        self.info = _information(self._capture, Fraction(30))

    def _frames(self) -> Iterator[Frame]:
        """Frames until the camera stops, which is a :class:`VideoError`."""
        start, count = 0.0, 0
        while (image := _read(self._capture)) is not None:
            now = time.monotonic()
            start = start if count else now
            count += 1
            yield Frame(image, round((now - start) / _TICK) * _TICK)
        raise VideoError(f"{self.name}: stopped after frame {count}; was it unplugged?")


class OpenCVWriter(VideoWriter):
    """A video file at a constant rate: MPEG-4, or VP9 in WebM. Frames are repeated or dropped where
    the times of the source require it, so that the video keeps time within half a frame.

    Raises:
        OutputError: The ending is unknown, or the folder cannot be written.
    """

    def __init__(self, path: str | Path, info: VideoInfo) -> None:
        super().__init__(path, info)
        if not is_utf8(self.path.absolute()):
            raise OutputError(f"{self.path}: cannot be written: its name is not UTF-8; {_FIX}")
        self._file = AtomicFile(self.path)
        codec = cv2.VideoWriter.fourcc(*_CODECS.get(self.path.suffix.lower(), "mp4v"))
        self._writer = cv2.VideoWriter(
            str(self._file.path), cv2.CAP_FFMPEG, codec, float(info.rate), (info.width, info.height)
        )
        if not self._writer.isOpened():
            self._file.rollback()
            raise OutputError(f"{self.path}: cannot be written; is its folder writable?")
        self._first: Fraction | None = None
        self._slots = 0

    def _append(self, frame: Frame) -> None:
        """Write a frame, as often as its time requires."""
        self._first = frame.time if self._first is None else self._first
        stored = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        slots = round((frame.time - self._first) * self._info.rate) + 1
        while self._slots < slots:
            self._writer.write(stored)
            self._slots += 1

    def _close(self) -> None:
        """Finish the file."""
        self._writer.release()
        if self.count and self._is_whole():
            self._file.commit()
            return
        self._file.rollback()
        if self.count:
            raise OutputError(f"{self.path}: cannot be written; is the disk full?")

    def _is_whole(self) -> bool:
        """Whether all frames are in the file: OpenCV says nothing of a disk that is full."""
        if self._file.is_stream:
            return True
        capture = cv2.VideoCapture(str(self._file.path), cv2.CAP_FFMPEG)
        frames = capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else 0
        capture.release()
        return bool(frames >= self._slots - 1)


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """In this block OpenCV logs nothing, unless with ``--debug``: of a camera that is not there it
    prints a dozen lines.
    """
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(
        level if DEBUG in os.environ else cv2.utils.logging.LOG_LEVEL_SILENT
    )
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _information(capture: cv2.VideoCapture, default_rate: Fraction) -> VideoInfo:
    rate = capture.get(cv2.CAP_PROP_FPS)
    frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    exact = Fraction(rate).limit_denominator(1001) if 0 < rate < 1000 else default_rate
    return VideoInfo(width, height, exact, _TICK, round(frames) if frames > 0 else None)


def _read(capture: cv2.VideoCapture) -> Image | None:
    """The next image as RGB."""
    success, image = capture.read()
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8) if success else None


def file_orientation(path: str | Path) -> Orientation | None:
    """How an MP4 or MOV file says that its first video is to be shown: OpenCV turns by that, but
    never mirrors. None where the file says nothing.
    """
    whole = track = np.eye(3)
    try:
        with Path(path).open("rb") as file:
            for kind, content in _boxes(file):
                if kind in _HEADERS:
                    start = _HEADERS[kind][content[0] == 1]
                    numbers = struct.unpack(">9i", content[start : start + 36])
                    matrix = np.array(numbers, np.float64).reshape(3, 3)
                    whole, track = (matrix, track) if kind == b"mvhd" else (whole, matrix)
                elif content[8:12] == b"vide":
                    return Orientation.from_matrix(track @ whole)
    except (OSError, struct.error, IndexError):
        return None
    return None


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents of the boxes that say how tracks are shown, in the file's order."""
    for _ in range(_MAX_BOXES):
        start, header = file.tell(), file.read(8)
        if len(header) < 8:
            return
        size, kind = struct.unpack(">I4s", header)
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
        if kind in _FOLDERS:
            continue
        if kind in _HEADERS or kind == b"hdlr":
            yield kind, file.read(100)
        if size < 8:
            return
        file.seek(start + size)


def _natural(file: Path) -> list[Any]:
    """A sort key that compares the numbers in a name as numbers."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]
