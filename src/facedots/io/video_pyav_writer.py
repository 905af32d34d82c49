"""Writes video through PyAV (FFmpeg), with exact times and sound: the extra ``video``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import AudioStream, Packet, VideoFrame, VideoStream

from facedots.errors import OutputError
from facedots.io.files import AtomicFile
from facedots.io.video import Frame, VideoInfo, VideoWriter

av.logging.set_level(None)  # FFmpeg's messages; failures are raised as errors.

_FAULTS = (av.error.FFmpegError, OSError)
# With B-frames, an MP4 of irregular times states too short a length, and its end is not shown.
_H264 = {"libx264": {"crf": "18", "preset": "veryfast", "bf": "0"}, "libopenh264": {}}
_VP9 = {
    "libvpx-vp9": {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
}
_MP4_TICKS = 2**31  # between two frames; FFmpeg has up to 20,000 a second where we have fewer
# One fragment per second: even a killed process leaves a playable file, which closing makes an
# ordinary MP4. Without delay_moov there is no edit list: the first time becomes 0, sound slips.
_MP4_OPTIONS = {"movflags": "hybrid_fragmented+delay_moov", "frag_duration": "1000000"}
# The RGB-YCbCr matrix that players assume by default: BT.709 for high definition, else BT.601.
_BT709, _BT601, _LIMITED_RANGE = 1, 5, 1


class PyAVWriter(VideoWriter):
    """A video file: H.264, or VP9 in WebM; odd sizes are padded by a repeated row or column.

    Args:
        path: Its ending decides the format.
        info: Size, clock and rate, from the source.
        sound: Sound stream of the source to copy; :meth:`write_sound` takes its packets.

    Example:
        >>> with PyAVWriter("out.mp4", reader.info) as writer:  # doctest: +SKIP
        ...     writer.write(Frame(image, Fraction(0)))

    Raises:
        OutputError: Its ending is unknown, its format cannot hold the sound, or it cannot be made.
    """

    def __init__(self, path: str | Path, info: VideoInfo, sound: AudioStream | None = None) -> None:
        super().__init__(path, info)
        self._file = AtomicFile(self.path)
        self._is_mp4 = self.path.suffix.lower() in (".mp4", ".m4v", ".mov")
        options = {"flush_packets": "1"}
        if self._is_mp4:
            options |= _MP4_OPTIONS | {"movie_timescale": str(info.time_base.denominator)}
        try:
            self._container = av.open(str(self._file.path), "w", options=options)
        except _FAULTS as error:
            self._file.rollback()
            raise self._fault(error) from error
        self._failed, self._last = False, -(2**62)
        self._matrix = _BT709 if info.height >= 720 else _BT601
        try:
            self._video = self._add_video(_VP9 if self.path.suffix.lower() == ".webm" else _H264)
            self._sound = self._add_sound(sound) if sound else None
        except BaseException:
            self._failed = True
            self.close()
            raise

    def _append(self, frame: Frame) -> None:
        """Write a frame at its time, or one tick after the last one where that is later."""
        info, base = self._info, self._info.time_base
        tick = max(round(frame.time / base), self._last + 1)
        gap = (tick - self._last) * base * max(base.denominator, 20_000)
        if self._is_mp4 and self.count and gap >= _MP4_TICKS:
            raise OutputError(f"{self.path}: a gap in time is too long for it; choose .mkv")
        image = np.pad(frame.image, ((0, info.height % 2), (0, info.width % 2), (0, 0)), "edge")
        encoded = VideoFrame.from_ndarray(image, "rgb24").reformat(
            format="yuv420p", dst_colorspace=self._matrix, dst_color_range=_LIMITED_RANGE
        )
        encoded.pts, encoded.time_base, self._last = tick, base, tick
        self._mux(lambda: self._video.encode(encoded))

    def write_sound(self, packet: "Packet[Any]") -> None:
        """Append a packet of the source's sound unchanged."""
        if self._sound and self._is_open:
            packet.stream = self._sound
            self._mux(lambda: [packet])

    def _close(self) -> None:
        """Finish the file."""
        self._failed = self._failed or not self.count
        try:
            if not self._failed:
                self._mux(lambda: self._video.encode(None))
            self._container.close()
        except _FAULTS as error:
            if not self._failed:
                self._failed = True
                raise self._fault(error) from error
        finally:
            (self._file.rollback if self._failed else self._file.commit)()

    def _mux(self, packets: "Callable[[], list[Packet[Any]]]") -> None:
        try:
            self._container.mux(packets())
        except _FAULTS as error:
            self._failed = True
            raise self._fault(error) from error

    def _fault(self, error: av.error.FFmpegError | OSError) -> OutputError:
        return OutputError(f"{self.path}: cannot be written: {error.strerror}")

    def _add_video(self, encoders: dict[str, dict[str, str]]) -> VideoStream:
        name = next(filter(av.codecs_available.__contains__, encoders), None)
        if name is None:
            names = " or ".join(encoders)
            raise OutputError(f"this build of PyAV has no encoder {names}; install PyAV from PyPI")
        stream = self._container.add_stream(name, rate=self._info.rate, options=encoders[name])
        assert isinstance(stream, VideoStream)
        info, codec = self._info, stream.codec_context
        stream.width, stream.height = info.width + info.width % 2, info.height + info.height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = codec.time_base = info.time_base
        codec.sample_aspect_ratio = info.pixel_aspect
        codec.colorspace, codec.color_range = self._matrix, _LIMITED_RANGE
        return stream

    def _add_sound(self, sound: AudioStream) -> AudioStream:
        name = sound.codec_context.name
        if name not in self._container.supported_codecs:
            fault = f"{self.path}: {self.path.suffix} cannot hold the source's sound ({name})"
            raise OutputError(f"{fault}; choose .mkv, which holds any, or leave the sound out")
        return self._container.add_stream_from_template(sound)
