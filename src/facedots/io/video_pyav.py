"""Reads video through PyAV (FFmpeg), with exact times and sound: the extra ``video``."""

import itertools
import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av import Packet, VideoFrame, VideoStream
from av.stream import Disposition

from facedots.errors import VideoError
from facedots.io.video import ADDRESSES, Frame, Orientation, VideoInfo, VideoReader

LOG = logging.getLogger("facedots")
av.logging.set_level(None)  # FFmpeg's messages; failures are raised as errors.

_TIMEOUT = 10.0  # seconds without data after which a network stream counts as dead
_TOLERANCE = Fraction(1, 2)  # seconds that a file may lack: containers round, sound is longer
_DAMAGE_REACH = 3  # packets after a damaged one within which a gap in time means lost frames
# MPEG-TS counts its parts by four bits: one loss in 16 goes unseen, and leaves but a gap in time.
_EVEN_PACKETS = 25  # without a gap, after which one means lost frames there
_FAULTS = (av.error.FFmpegError, OSError)


class PyAVReader(VideoReader):
    """The main film of a file or a network stream, by path or address; ``name`` is for messages.

    Attributes:
        sound: The sound stream; ``None`` where there is none.
        on_sound: Called with each sound packet while the frames are read.

    Raises:
        VideoError: It cannot be opened or decoded, or the address does not answer.
    """

    def __init__(self, path: str, name: str | None = None) -> None:
        self.name = name or path
        self.on_sound: Callable[[Packet[Any]], None] | None = None
        self._remote, self._live = path.startswith(ADDRESSES), path.startswith("rtsp")
        address = path if self._remote else f"file:{path}"  # A file named "http:x" stays a file.
        self._container = self._open(address)
        self._stream = self._film()
        self._stream.thread_type = "AUTO"
        sounds = self._container.streams.audio  # without a context where nobody knows the codec
        self.sound = next((sound for sound in sounds if sound.codec_context is not None), None)
        self._reached, self._count = Fraction(0), 0
        self._since_damage, self._since_gap = _DAMAGE_REACH + 1, 0  # packets
        self._dts: int | None = None
        self._last, self._shift = Fraction(-(2**62)), Fraction(0)
        self._parts = self._read()
        self._waiting: list[VideoFrame | Packet[Any]] = []
        self.info = self._information(self._first_frame())

    def _frames(self) -> Iterator[Frame]:
        """The frames, upright; packets that cannot be decoded are counted and skipped."""
        try:
            for part in itertools.chain(self._waiting, self._parts):
                if isinstance(part, VideoFrame):
                    self._waiting = []
                    self._count += 1
                    yield self._frame(part)
                elif self.on_sound:
                    self.on_sound(part)
        except av.error.FFmpegError as error:
            raise VideoError(f"{self._ends_early()} ({error.strerror})") from error
        if self._container.format.name == "avi":  # Its index counts what the demuxer cannot find.
            self.damaged = max(self.damaged, self._stream.frames - self._count)
        end = self._end()
        if (end is None and self._live) or (end is not None and self._reached < end - _TOLERANCE):
            raise VideoError(self._ends_early())

    def _close(self) -> None:
        """Release the file or the connection."""
        self._container.close()

    def _open(self, address: str) -> av.container.InputContainer:
        options = {"rtsp_transport": "tcp"} if self._live else {}
        timeout = _TIMEOUT if self._remote else None
        hint = "is the address right?" if self._remote else "it is cut off, or no video to FFmpeg"
        try:
            return av.open(address, options=options, timeout=timeout, metadata_errors="replace")
        except _FAULTS as error:
            raise VideoError(f"{self.name}: cannot be opened ({error.strerror}); {hint}") from error

    def _film(self) -> VideoStream:
        streams = self._container.streams
        films = [film for film in streams.video if not film.disposition & Disposition.attached_pic]
        if not films:
            self.close()
            raise VideoError(f"{self.name}: holds no moving images")
        number = films.index(best) if (best := streams.best("video")) in films else 0
        if len(films) > 1:
            LOG.warning(f"{self.name}: {len(films)} video streams, only number {number + 1} read")
        return films[number]

    def _read(self) -> "Iterator[VideoFrame | Packet[Any]]":
        """The stored frames, and the sound packets between them."""
        sound_index = self.sound.index if self.sound else None
        for packet in itertools.chain(self._container.demux(), [None]):
            if packet is None or (packet.size and packet.stream_index == self._stream.index):
                yield from self._decode(packet)
            elif packet.size and packet.stream_index == sound_index:
                yield packet
            if packet and packet.pts is not None and packet.time_base is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._reached = max(self._reached, end)

    def _first_frame(self) -> VideoFrame:
        """The first frame, which alone has size and orientation; :meth:`__iter__` repeats it."""
        reason = "the file is damaged or cut off"
        try:
            for part in self._parts:
                self._waiting.append(part)
                if isinstance(part, VideoFrame):
                    self.damaged *= not self._live  # Streams are joined between two key frames.
                    return part
        except av.error.FFmpegError as error:
            reason = str(error.strerror)
        self.close()
        codec = getattr(self._stream.codec_context, "name", "unknown codec")
        raise VideoError(f"{self.name}: not one frame can be decoded ({codec}); {reason}")

    def _information(self, first: VideoFrame) -> VideoInfo:
        stream, end = self._stream, self._end()
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        frames: int | None = stream.frames or None
        if not frames and end is not None:
            start = Fraction(self._container.start_time or 0, av.time_base)
            frames = max(1, round((end - start) * rate))
        width, height, aspect = first.width, first.height, stream.sample_aspect_ratio or Fraction(1)
        if _orientation(first).transposed:
            width, height, aspect = height, width, 1 / aspect
        return VideoInfo(width, height, rate, stream.time_base or 1 / rate, frames, aspect)

    def _end(self) -> Fraction | None:
        """The end of the last stream in seconds, as the container states it."""
        if self._container.duration is None:
            return None
        # FFmpeg shortens the stated duration of a cut AVI.
        if self._container.format.name == "avi" and self._stream.average_rate:
            return self._stream.frames / self._stream.average_rate
        return Fraction((self._container.start_time or 0) + self._container.duration, av.time_base)

    def _decode(self, packet: "Packet[Any] | None") -> list[VideoFrame]:
        """The frames that a packet completes; ``None`` flushes the decoder."""
        try:
            frames = self._stream.decode(packet)
        except av.error.InvalidDataError:
            self.damaged += 1
            return []
        lost = packet is not None and self._is_gap(packet)
        self.damaged += max(lost, sum(frame.is_corrupt for frame in frames))
        return frames

    def _is_gap(self, packet: "Packet[Any]") -> bool:
        """Whether packets are missing: just after a damaged one or, in MPEG-TS, many even ones."""
        self._since_damage = 0 if packet.is_corrupt else self._since_damage + 1
        self._since_gap += 1
        step = 0 if self._dts is None or packet.dts is None else packet.dts - self._dts
        self._dts = packet.dts
        if 2 * step <= 3 * (packet.duration or abs(step)):
            return False
        since, self._since_gap = self._since_gap, 0
        is_even = self._container.format.name == "mpegts" and since > _EVEN_PACKETS
        return is_even or self._since_damage <= _DAMAGE_REACH

    def _frame(self, frame: VideoFrame) -> Frame:
        image = _orientation(frame)(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
        if frame.pts is None or self._stream.time_base is None:
            return Frame(image, (self._count - 1) / self.info.rate)
        time = frame.pts * self._stream.time_base + self._shift
        if time < self._last:  # Joined recordings start their clock anew.
            self._shift += self._last + 1 / self.info.rate - time
            time = self._last + 1 / self.info.rate
        self._last = time
        return Frame(image, time)

    def _ends_early(self) -> str:
        what = "the connection is gone" if self._remote else "the file is damaged or cut off"
        total = f" of about {self.info.frames}" if self.info.frames else ""
        return f"{self.name}: {what} after frame {self._count}{total}"


def _orientation(frame: VideoFrame) -> Orientation:
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    return Orientation.from_matrix(np.frombuffer(data, np.int32)) if data else Orientation()
