"""Video files written through PyAV (FFmpeg), with exact times and copied sound.

Needs the extra ``video``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from facedots.errors import OutputError
from facedots.io.files import AtomicFile
from facedots.io.video import Frame, VideoInfo, VideoWriter

_Encoders = tuple[tuple[str, dict[str, str]], ...]
_H264: _Encoders = (("libx264", {"crf": "18", "preset": "veryfast"}), ("libopenh264", {}))
_VP9: _Encoders = (
    ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}),
)

# One fragment per second, so that even a killed process leaves a playable file; closing makes it an
# ordinary MP4. Without delay_moov there would be no edit list: the first time would become 0, and
# sound would slip.
_MP4_OPTIONS = {"movflags": "hybrid_fragmented+delay_moov", "frag_duration": "1000000"}

# The RGB-YCbCr matrix that players assume by default: BT.709 for high definition, else BT.601.
_BT709, _BT601, _LIMITED_RANGE = 1, 5, 1


class PyAVWriter(VideoWriter):
    """A video file: H.264, or VP9 in WebM; odd sizes are padded by a repeated row or column.

    Args:
        path: The file; its ending decides the format.
        info: Size, clock and rate, from the source.
        sound: Sound stream of the source to copy; :meth:`write_sound` takes its packets.

    Example:
        >>> info = VideoInfo(640, 480, Fraction(25), Fraction(1, 25), None)  # doctest: +SKIP
        >>> with PyAVWriter("out.mp4", info) as writer:  # doctest: +SKIP
        ...     writer.write(Frame(image, Fraction(0)))

    Raises:
        OutputError: The ending is unknown, the format cannot hold the sound, or the folder cannot
            be written.
    """

    def __init__(self, path: str | Path, info: VideoInfo, sound: AudioStream | None = None) -> None:
        super().__init__(path)
        self._info = info
        self._file = AtomicFile(self.path)
        suffix = self.path.suffix.lower()
        options = {"flush_packets": "1"}
        if suffix in (".mp4", ".m4v", ".mov"):
            options |= _MP4_OPTIONS | {"movie_timescale": str(info.time_base.denominator)}
        try:
            self._container = av.open(str(self._file.path), "w", options=options)
        except (av.error.FFmpegError, OSError) as error:
            self._file.rollback()
            raise OutputError(f"{self.path}: cannot be written: {error.strerror}") from error
        self._open, self._failed = True, False
        self._last = -(2**62)
        try:
            self._matrix = _BT709 if info.height >= 720 else _BT601
            self._video = self._add_video(*_encoder(_VP9 if suffix == ".webm" else _H264))
            self._sound = self._add_sound(sound) if sound else None
        except OutputError:
            self.close()
            raise

    def write(self, frame: Frame) -> None:
        """Append a frame at its time, or one tick after the last one where that is later."""
        width, height = self._info.width, self._info.height
        self.check(frame.image, width, height)
        padding = (0, height % 2, 0, width % 2)
        image = cv2.copyMakeBorder(frame.image, *padding, cv2.BORDER_REPLICATE)
        encoded = VideoFrame.from_ndarray(np.asarray(image, np.uint8), "rgb24")
        encoded = encoded.reformat(
            format="yuv420p", dst_colorspace=self._matrix, dst_color_range=_LIMITED_RANGE
        )
        self._last = max(round(frame.time / self._info.time_base), self._last + 1)
        encoded.pts, encoded.time_base = self._last, self._info.time_base
        self._mux(lambda: self._video.encode(encoded))
        self.count += 1

    def write_sound(self, packet: "Packet[Any]") -> None:
        """Append a packet of the source's sound unchanged."""
        if self._sound and self._open:
            packet.stream = self._sound
            self._mux(lambda: [packet])

    def close(self) -> None:
        """Finish the file."""
        if not self._open:
            return
        self._open = False
        self._failed |= not self.count
        try:
            if not self._failed:
                self._mux(lambda: self._video.encode(None))
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            if not self._failed:
                self._failed = True
                raise OutputError(f"{self.path}: cannot be written: {error.strerror}") from error
        finally:
            (self._file.rollback if self._failed else self._file.commit)()

    def _mux(self, packets: "Callable[[], list[Packet[Any]]]") -> None:
        try:
            for packet in packets():
                self._container.mux_one(packet)
        except (av.error.FFmpegError, OSError) as error:
            self._failed = True
            raise OutputError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _add_video(self, encoder: str, options: dict[str, str]) -> VideoStream:
        stream = self._container.add_stream(encoder, rate=self._info.rate, options=options)
        assert isinstance(stream, VideoStream)
        stream.width = self._info.width + self._info.width % 2
        stream.height = self._info.height + self._info.height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._info.time_base
        stream.codec_context.sample_aspect_ratio = self._info.pixel_aspect
        stream.codec_context.colorspace = self._matrix
        stream.codec_context.color_range = _LIMITED_RANGE
        return stream

    def _add_sound(self, sound: AudioStream) -> AudioStream:
        if sound.codec_context.name not in self._container.supported_codecs:
            codec = sound.codec_context.name
            raise OutputError(
                f"{self.path}: {self.path.suffix} cannot hold the source's sound ({codec}); "
                "choose .mkv, which holds any, or leave the sound out"
            )
        return self._container.add_stream_from_template(sound)


def _encoder(candidates: _Encoders) -> tuple[str, dict[str, str]]:
    """The first encoder that this build of FFmpeg has, and its options."""
    for name, options in candidates:
        if name in av.codecs_available:
            return name, options
    names = " or ".join(name for name, _ in candidates)
    raise OutputError(f"this build of PyAV has no encoder {names}; install PyAV from PyPI")
