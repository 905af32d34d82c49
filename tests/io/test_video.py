"""Films in and out: exact times, colors, sound; and what happens when a source breaks off or a
process is killed.
"""

import shutil
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.servers import QuietHandler, serving

from facedots.errors import OutputError, VideoError
from facedots.geometry import Image
from facedots.io import video
from facedots.io.images import write_image
from facedots.io.video import Frame, VideoInfo, VideoReader, VideoWriter, open_reader, open_writer
from facedots.io.video_opencv import CameraReader, FolderReader, OpenCVReader, OpenCVWriter

av = pytest.importorskip("av")
from av.stream import Disposition  # noqa: E402

from facedots.io.video_pyav import PyAVReader  # noqa: E402
from facedots.io.video_pyav_writer import PyAVWriter  # noqa: E402

TICK = Fraction(1, 90_000)
WIDTH, HEIGHT = 48, 32


def plain(color: tuple[int, int, int], width: int = WIDTH, height: int = HEIGHT) -> Image:
    return np.full((height, width, 3), color, np.uint8)


def color_of(number: int) -> tuple[int, int, int]:
    return 40 + 5 * number % 180, 200 - 7 * number % 150, 60 + 11 * number % 160


def irregular_frames(count: int, start: int = 5000) -> list[Frame]:
    steps = np.random.default_rng(0).integers(900, 9000, count)
    times = start + np.concatenate([[0], np.cumsum(steps)[:-1]])
    return [Frame(plain(color_of(i)), Fraction(int(time), 90_000)) for i, time in enumerate(times)]


def even_frames(count: int, rate: int = 25) -> list[Frame]:
    return [Frame(plain(color_of(i)), Fraction(i, rate)) for i in range(count)]


def information(time_base: Fraction = TICK, width: int = WIDTH, height: int = HEIGHT) -> VideoInfo:
    return VideoInfo(width, height, Fraction(25), time_base, None)


def write_film(sink: VideoWriter, frames: list[Frame]) -> Path:
    with sink:
        for frame in frames:
            sink.write(frame)
    return sink.path


def copy(source: VideoReader, target: Path, *, sound: bool = True) -> None:
    with source, open_writer(target, source, sound=sound) as sink:
        for frame in source:
            sink.write(frame)


def noisy_film(
    path: Path, count: int = 60, *, sound: str | None = None, options: dict[str, str] | None = None
) -> Path:
    """A film too busy to be small, so that a cut in its middle hits its middle; with sound where a
    codec is named.
    """
    rng = np.random.default_rng(1)
    container = av.open(str(path), "w", options=options or {})
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    tone = container.add_stream(sound, rate=48_000, layout="mono") if sound else None
    for i in range(count):
        encoded = av.VideoFrame.from_ndarray(
            rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), "rgb24"
        )
        encoded.pts, encoded.time_base = i, Fraction(1, 25)
        container.mux(stream.encode(encoded))
        if tone:
            samples = av.AudioFrame.from_ndarray(
                rng.normal(0, 0.1, (1, 1920)).astype(np.float32), "fltp", "mono"
            )
            samples.sample_rate, samples.pts, samples.time_base = (
                48_000,
                1920 * i,
                Fraction(1, 48_000),
            )
            container.mux(tone.encode(samples))
    for each in filter(None, (stream, tone)):
        container.mux(each.encode(None))
    container.close()
    return path


def cut(path: Path, share: float) -> Path:
    target = path.with_stem(path.stem + "_cut")
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("start", [0, 5000])
def test_irregular_times_come_back_exactly(tmp_path: Path, suffix: str, start: int) -> None:
    frames = irregular_frames(30, start)
    path = write_film(PyAVWriter(tmp_path / f"a{suffix}", information()), frames)
    with PyAVReader(str(path)) as source:
        back = list(source)
        assert source.info.frames == 30
    assert [frame.time for frame in back] == [frame.time for frame in frames]
    error = max(
        np.abs(one.image.mean((0, 1)) - other.image.mean((0, 1))).max()
        for one, other in zip(back, frames, strict=True)
    )
    assert error < 5


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_keeps_milliseconds(tmp_path: Path, suffix: str) -> None:
    frames = irregular_frames(12)
    path = write_film(PyAVWriter(tmp_path / f"a{suffix}", information()), frames)
    times = [frame.time for frame in open_reader(path)]
    assert max(abs(one - frame.time) for one, frame in zip(times, frames, strict=True)) <= Fraction(
        1, 2000
    )


@pytest.mark.parametrize("height", [36, 720])
def test_colors_are_those_that_readers_see_who_ignore_tags_and_who_do_not(
    tmp_path: Path, height: int
) -> None:
    saturated = [(200, 40, 40), (40, 200, 40), (40, 40, 200)]
    frames = [Frame(plain(color, 32, height), Fraction(i, 25)) for i, color in enumerate(saturated)]
    path = write_film(PyAVWriter(tmp_path / "a.mp4", information(width=32, height=height)), frames)
    for color, frame in zip(saturated, PyAVReader(str(path)), strict=True):
        assert np.abs(frame.image.mean((0, 1)) - color).max() < 5


def test_an_odd_size_grows_by_a_repeated_edge(tmp_path: Path) -> None:
    image = np.zeros((31, 47, 3), np.uint8)
    image[:, -1] = image[-1] = 255
    path = write_film(
        PyAVWriter(tmp_path / "a.mp4", information(width=47, height=31)),
        [Frame(image, Fraction(0))],
    )
    (back,) = PyAVReader(str(path))
    assert back.image.shape == (32, 48, 3)
    assert back.image[-1].min() > 200
    assert back.image[:-3, :-4].max() < 60


def as_mpegts(film: Path) -> Path:
    """The packets of a film in MPEG-TS."""
    path = film.with_suffix(".ts")
    with av.open(str(film)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return path


CORNERS = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
CORNERS[: HEIGHT // 2, : WIDTH // 2] = (220, 30, 30)
CORNERS[: HEIGHT // 2, WIDTH // 2 :] = (30, 220, 30)
CORNERS[HEIGHT // 2 :, : WIDTH // 2] = (30, 30, 220)


def oriented_film(path: Path, turn: int, *, hflip: bool = False) -> Path:
    """Three frames of :data:`CORNERS`, stored as they are, to be turned and mirrored on show."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.set_display_rotation(turn, hflip=hflip)
        for number in range(3):
            encoded = av.VideoFrame.from_ndarray(CORNERS, "rgb24")
            encoded.pts, encoded.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(encoded))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_all_eight_display_matrices_stand_upright(
    tmp_path: Path, server: str, turn: int, hflip: bool
) -> None:
    path = oriented_film(tmp_path / "a.mp4", turn, hflip=hflip)
    expected = np.rot90(CORNERS, turn // 90)
    expected = expected[:, ::-1] if hflip else expected
    readers = (PyAVReader(str(path)), PyAVReader(f"{server}/a.mp4"), OpenCVReader(str(path)))
    for reader in readers:
        with reader:
            assert (reader.info.height, reader.info.width) == expected.shape[:2]
            frames = list(reader)
        assert len(frames) == 3
        for frame in frames:
            assert frame.image.shape == expected.shape
            assert np.abs(frame.image.astype(int) - expected).mean() < 12


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.avi"])
def test_damaged_frames_are_counted_and_the_rest_is_read(tmp_path: Path, name: str) -> None:
    path = noisy_film(tmp_path / name)
    data = bytearray(path.read_bytes())
    start, length = len(data) // 2, len(data) // 20
    data[start : start + length] = bytes(length)
    with PyAVReader(str(path)) as reader:
        assert len(list(reader)) == 60
        assert not reader.damaged
    path.write_bytes(data)
    with PyAVReader(str(path)) as reader:
        frames = list(reader)
    assert reader.damaged > 0
    assert 50 < len(frames) < 60
    assert frames[-1].time - frames[0].time >= Fraction(55, 25)


def test_frames_lost_in_mpegts_are_counted_where_its_counter_of_four_bits_shows_no_loss(
    tmp_path: Path,
) -> None:
    path = noisy_film(tmp_path / "a.ts")
    data = path.read_bytes()
    parts = [data[i : i + 188] for i in range(0, len(data), 188)]
    film = [i for i, part in enumerate(parts) if int.from_bytes(part[1:3], "big") & 0x1FFF == 256]
    lost = film[len(film) // 2 :][:16]
    path.write_bytes(b"".join(part for i, part in enumerate(parts) if i not in lost))
    with PyAVReader(str(path)) as reader:
        assert 50 < len(list(reader)) < 60
    assert reader.damaged > 0


def test_mpegts_of_uneven_times_is_whole(tmp_path: Path) -> None:
    times = [Fraction(i + i // 12, 25) for i in range(60)]
    frames = [Frame(plain(color_of(i)), time) for i, time in enumerate(times)]
    film = write_film(PyAVWriter(tmp_path / "a.mp4", information()), frames)
    with PyAVReader(str(as_mpegts(film))) as reader:
        read = [frame.time for frame in reader]
    assert [time - read[0] for time in read] == times
    assert not reader.damaged


def test_a_recording_that_changes_its_size_and_restarts_its_clock_is_read_on(
    tmp_path: Path,
) -> None:
    first = write_film(PyAVWriter(tmp_path / "a.mp4", information()), even_frames(5))
    wide = [Frame(plain(color_of(i), 64, 36), Fraction(i, 25)) for i in range(5)]
    second = write_film(PyAVWriter(tmp_path / "b.mp4", information(width=64, height=36)), wide)
    joined = tmp_path / "joined.ts"
    for path in (first, second):
        with joined.open("ab") as file:
            file.write(as_mpegts(path).read_bytes())
    with PyAVReader(str(joined)) as reader:
        assert (reader.info.width, reader.info.height) == (WIDTH, HEIGHT)
        frames = list(reader)
        assert reader.damaged == 0
    assert [frame.image.shape[:2] for frame in frames] == [(HEIGHT, WIDTH)] * 5 + [(36, 64)] * 5
    assert np.diff([frame.time for frame in frames]).tolist() == [Fraction(1, 25)] * 9


def test_sound_is_copied_byte_for_byte(tmp_path: Path) -> None:
    path = noisy_film(tmp_path / "a.mp4", 30, sound="aac")
    for name in ("b.mp4", "b.mkv", "silent.mp4"):
        copy(open_reader(path), tmp_path / name, sound=name != "silent.mp4")
    assert (
        sound_packets(tmp_path / "b.mp4")
        == sound_packets(path)
        == sound_packets(tmp_path / "b.mkv")
    )
    with av.open(str(tmp_path / "silent.mp4")) as container:
        assert not container.streams.audio


@pytest.mark.parametrize(
    ("part", "other"), [(b"isom", b"\xb6som"), (b"avc1", b"zzzz"), (b"mp4a", b"zzzz")]
)
def test_codecs_and_brands_that_nobody_knows(tmp_path: Path, part: bytes, other: bytes) -> None:
    """Without the codec of the images there is a line; without that of the sound, no sound."""
    path = noisy_film(tmp_path / "a.mp4", 5, sound="aac")
    path.write_bytes(path.read_bytes().replace(part, other))
    if part == b"avc1":
        with pytest.raises(VideoError, match=r"a\.mp4: not one frame can be decoded \(unknown"):
            open_reader(path)
        return
    copy(open_reader(path), tmp_path / "b.mkv")
    assert len(list(open_reader(tmp_path / "b.mkv"))) == 5


def test_sound_that_a_format_cannot_hold_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    path = noisy_film(tmp_path / "a.mp4", 5, sound="aac")
    with (
        open_reader(path) as source,
        pytest.raises(OutputError, match=r"\.webm cannot hold .* \(aac\).*\.mkv"),
    ):
        open_writer(tmp_path / "b.webm", source)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("kind", [PyAVReader, OpenCVReader])
def test_what_was_read_before_a_cut_is_kept(
    tmp_path: Path, name: str, kind: type[PyAVReader] | type[OpenCVReader]
) -> None:
    path = cut(
        noisy_film(tmp_path / name, options={"movflags": "faststart"} if name == "a.mp4" else {}),
        0.5,
    )
    with pytest.raises(VideoError, match=r"a_cut.*after frame \d+ of about 6[01]") as broken:
        copy(kind(str(path)), tmp_path / "b.mp4")
    count = int(str(broken.value).split("after frame ")[1].split()[0])
    assert 15 < count < 45
    assert len(list(open_reader(tmp_path / "b.mp4"))) == count


@pytest.mark.parametrize("kind", [PyAVReader, OpenCVReader])
def test_what_is_no_film_is_said(
    tmp_path: Path, kind: type[PyAVReader] | type[OpenCVReader]
) -> None:
    (tmp_path / "notes.mp4").write_text("not a film")
    without_index = cut(noisy_film(tmp_path / "a.mp4"), 0.5)
    for path in (tmp_path / "notes.mp4", without_index):
        with pytest.raises(VideoError, match=rf"{path.name}: cannot be opened"):
            kind(str(path))


def test_a_killed_process_leaves_a_film(tmp_path: Path) -> None:
    sink = PyAVWriter(tmp_path / "a.mp4", information())
    rng = np.random.default_rng(2)
    for i in range(130):
        sink.write(Frame(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), Fraction(i, 25)))
    (partial,) = tmp_path.iterdir()
    shutil.copy(partial, tmp_path / "left.mp4")
    sink.close()
    assert len(list(open_reader(tmp_path / "left.mp4"))) > 30
    assert len(list(open_reader(tmp_path / "a.mp4"))) == 130


@pytest.mark.parametrize("kind", [PyAVWriter, OpenCVWriter])
def test_without_a_frame_there_is_no_file(
    tmp_path: Path, kind: type[PyAVWriter] | type[OpenCVWriter]
) -> None:
    (tmp_path / "a.mp4").write_text("old")
    kind(tmp_path / "a.mp4", information()).close()
    assert (tmp_path / "a.mp4").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", [PyAVWriter, OpenCVWriter])
def test_a_frame_of_another_size_is_refused_and_the_rest_kept(
    tmp_path: Path, kind: type[PyAVWriter] | type[OpenCVWriter]
) -> None:
    frames = [Frame(plain((9, 9, 9)), Fraction(0)), Frame(plain((9, 9, 9), 10, 8), Fraction(1))]
    with pytest.raises(OutputError, match="frame 2 has 10 x 8"):
        write_film(kind(tmp_path / "a.mp4", information()), frames)
    assert len(list(open_reader(tmp_path / "a.mp4"))) == 1


def test_targets_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = write_film(PyAVWriter(tmp_path / "a.mp4", information()), even_frames(3))
    (tmp_path / "file").write_text("")
    with open_reader(path) as source:
        with pytest.raises(OutputError, match="the source itself"):
            open_writer(tmp_path / ".." / tmp_path.name / "a.mp4", source)
        with pytest.raises(OutputError, match=r"\.mp4, \.m4v"):
            open_writer(tmp_path / "a.gif", source)
        with pytest.raises(OutputError, match="cannot be written"):
            open_writer(tmp_path / "file" / "b.mp4", source)


def test_without_pyav_opencv_keeps_time_by_repeating_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_film(PyAVWriter(tmp_path / "a.mp4", information()), even_frames(6))
    monkeypatch.setattr(video, "has_pyav", lambda: False)
    with open_reader(path) as source:
        assert isinstance(source, OpenCVReader)
        assert [frame.time for frame in source] == [Fraction(i, 25) for i in range(6)]
        sink = open_writer(tmp_path / "b.mp4", source)
    assert isinstance(sink, OpenCVWriter)
    late = [
        Frame(plain(color_of(i)), Fraction(time, 25)) for i, time in enumerate([10, 11, 14, 15])
    ]
    back = list(open_reader(write_film(sink, late)))
    seen = [
        int(
            np.abs([np.array(color_of(i)) - frame.image.mean((0, 1)) for i in range(4)])
            .sum(1)
            .argmin()
        )
        for frame in back
    ]
    assert seen == [0, 1, 2, 2, 2, 3]


def test_a_folder_is_read_in_natural_order_at_its_rate(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        write_image(tmp_path / f"frame_{number}.png", plain((number, 0, 0)))
    (tmp_path / "notes.txt").write_text("not an image")
    source = open_reader(tmp_path, 12.5)
    assert [(int(frame.image[0, 0, 0]), frame.time) for frame in source] == [
        (1, 0),
        (9, Fraction(2, 25)),
        (10, Fraction(4, 25)),
    ]
    assert source.info == VideoInfo(WIDTH, HEIGHT, Fraction(25, 2), Fraction(2, 25), 3)


def test_a_bad_image_in_a_folder_is_a_damaged_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (0, 2):
        (tmp_path / f"{number}.png").write_bytes(b"broken")
    with pytest.raises(VideoError, match=r"no image in it can be read; .*0\.png"):
        open_reader(tmp_path)
    for number in (1, 3):
        write_image(tmp_path / f"{number}.png", plain((number, 0, 0)))
    with open_reader(tmp_path) as source:
        frames = [(int(frame.image[0, 0, 0]), frame.time) for frame in source]
    assert frames == [(1, Fraction(1, 25)), (3, Fraction(3, 25))]
    assert (source.info.width, source.info.height, source.damaged) == (WIDTH, HEIGHT, 2)
    assert [name in caplog.text for name in ("0.png", "1.png", "2.png")] == [True, False, True]


def test_what_is_skipped_in_a_folder_is_named_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(tmp_path / "a.png", plain((1, 2, 3)))
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert len(list(open_reader(tmp_path))) == 1
    assert f"{tmp_path}: skipped: 1 file (.txt)" in caplog.text
    assert "gone.png: cannot be read: a link to nothing" in caplog.text


def test_a_rate_is_of_a_folder_only(tmp_path: Path) -> None:
    path = write_film(PyAVWriter(tmp_path / "a.mp4", information()), even_frames(3))
    for source in (path, tmp_path / "missing", 0, "rtsp://user:secret@camera/1"):
        with pytest.raises(VideoError, match="only a folder of images takes") as refused:
            open_reader(source, 10)
        assert "secret" not in str(refused.value)


def test_an_empty_folder_or_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no images in it"):
        open_reader(tmp_path)
    with pytest.raises(VideoError, match="no such file or folder"):
        open_reader(tmp_path / "missing.mp4")
    write_image(tmp_path / "a.png", plain((1, 2, 3)))
    with pytest.raises(VideoError, match="must be positive"):
        FolderReader(tmp_path, 0)


class FakeCamera:
    """A camera that gives three images and is then unplugged."""

    def __init__(self, index: int) -> None:
        self.left = 3 if index == 0 else 0

    def isOpened(self) -> bool:  # noqa: N802 (OpenCV's name)
        return self.left > 0

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: WIDTH, cv2.CAP_PROP_FRAME_HEIGHT: HEIGHT}.get(what, 0.0)

    def read(self) -> tuple[bool, Image | None]:
        self.left -= 1
        return (True, plain((50, 100, 200))) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.left = 0


def test_a_camera_that_disappears_leaves_what_it_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    now = iter([100.0, 100.04, 100.1])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with pytest.raises(VideoError, match=r"camera 0: stopped after frame 3"):
        copy(open_reader("0"), tmp_path / "a.mp4")
    monkeypatch.undo()
    frames = list(open_reader(tmp_path / "a.mp4"))
    assert [frame.time for frame in frames] == [0, Fraction(4, 100), Fraction(1, 10)]
    assert np.abs(frames[0].image[0, 0].astype(int) - (200, 100, 50)).max() < 5


def test_a_camera_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    with pytest.raises(VideoError, match="camera 3: cannot be opened"):
        CameraReader(3)


def test_of_a_camera_that_is_not_there_opencv_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    level = cv2.utils.logging.getLogLevel()
    with pytest.raises(VideoError, match="camera 98: cannot be opened"):
        CameraReader(98)
    assert capfd.readouterr() == ("", "")
    assert cv2.utils.logging.getLogLevel() == level


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serves the videos of a folder; those called ``cut…`` only in part."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            file = tmp_path / self.path.rpartition("/")[2]
            if not file.exists():
                self.send_error(404)
                return
            data = file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if file.name.startswith("cut") else data)

    with serving(Handler) as address:
        yield address.replace("//", "//user:secret@")


def test_an_address_is_read_like_a_file(tmp_path: Path, server: str) -> None:
    noisy_film(tmp_path / "a.mkv", 10)
    with open_reader(f"{server}/a.mkv") as source:
        assert len(list(source)) == 10
        assert "secret" not in source.name


def test_a_cut_connection_and_a_wrong_address_are_said_without_the_password(
    tmp_path: Path, server: str
) -> None:
    noisy_film(tmp_path / "cut.mkv", 60)
    source = open_reader(f"{server}/cut.mkv")
    with pytest.raises(
        VideoError, match=r"^http://127\.0\.0\.1:\d+/cut\.mkv: the connection is gone after frame"
    ) as gone:
        list(source)
    with pytest.raises(VideoError, match="cannot be opened") as missing:
        open_reader(f"{server}/missing.mkv")
    assert "secret" not in f"{gone.value} {missing.value}"


def readers(folder: Path) -> list[VideoReader]:
    path = write_film(PyAVWriter(folder / "a.mp4", information()), even_frames(6))
    for number in range(6):
        write_image(folder / "frames" / f"{number}.png", plain(color_of(number)))
    return [PyAVReader(str(path)), OpenCVReader(str(path)), FolderReader(folder / "frames")]


def test_a_reader_that_is_closed_says_so(tmp_path: Path) -> None:
    """FFmpeg ended the process where it went on with a container that was closed."""
    for reader in readers(tmp_path):
        frames = iter(reader)
        next(frames)
        reader.close()
        for late in (frames, iter(reader)):
            with pytest.raises(VideoError, match=r"(a\.mp4|frames): is closed; iterate inside"):
                next(late)


def test_a_reader_is_iterated_once(tmp_path: Path) -> None:
    for reader in readers(tmp_path):
        with reader:
            assert len(list(reader)) == 6
            with pytest.raises(VideoError, match="can be iterated once, and was; open it again"):
                next(iter(reader))


@pytest.mark.parametrize("kind", [PyAVWriter, OpenCVWriter])
def test_a_writer_that_is_closed_takes_no_frame(
    tmp_path: Path, kind: type[PyAVWriter] | type[OpenCVWriter]
) -> None:
    sink = kind(tmp_path / "a.mp4", information())
    write_film(sink, even_frames(3))
    with pytest.raises(OutputError, match=r"a\.mp4: is closed; write inside the with block"):
        sink.write(even_frames(1)[0])
    assert sink.count == len(list(open_reader(sink.path))) == 3


def test_the_sound_of_a_source_that_is_closed_cannot_be_copied(tmp_path: Path) -> None:
    with open_reader(noisy_film(tmp_path / "a.mp4", 5, sound="aac")) as source:
        frames = list(source)
    with pytest.raises(VideoError, match=r"a\.mp4: is closed, and so is its sound"):
        open_writer(tmp_path / "b.mp4", source)
    assert (
        len(
            list(
                open_reader(
                    write_film(open_writer(tmp_path / "b.mp4", source, sound=False), frames)
                )
            )
        )
        == 5
    )


def film_with(path: Path, codec: str, pixels: str, count: int) -> Path:
    """A film of ten frames, after another stream of so many."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(name, rate=25) for name in (codec, "libx264")]
        for stream, width, format_ in zip(streams, (16, WIDTH), (pixels, "yuv420p"), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, HEIGHT, format_
        if codec == "mjpeg":
            streams[0].disposition = Disposition.attached_pic
        for number in range(10):
            for stream in streams[number >= count :]:
                encoded = av.VideoFrame.from_ndarray(plain(color_of(number), stream.width), "rgb24")
                encoded.pts, encoded.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(encoded))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_cover_picture_is_not_the_film(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with open_reader(film_with(tmp_path / name, "mjpeg", "yuvj420p", 1)) as source:
        assert (source.info.width, len(list(source))) == (WIDTH, 10)
    # Matroska forgets what is a cover.
    assert ("2 video streams, only number 2 read" in caplog.text) == (name == "a.mkv")


def test_of_several_films_one_is_read_and_the_others_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_reader(film_with(tmp_path / "a.mkv", "libx264", "yuv420p", 10)) as source:
        assert (source.info.width, len(list(source))) == (16, 10)
    assert "a.mkv: 2 video streams, only number 1 read" in caplog.text


def test_a_song_with_a_cover_is_no_film(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(plain((9, 9, 9)), "rgb24")))
        container.mux(cover.encode(None))
    with pytest.raises(VideoError, match=r"a\.mp4: holds no moving images"):
        open_reader(tmp_path / "a.mp4")


def test_a_gap_in_time_that_mp4_cannot_hold_is_said(tmp_path: Path) -> None:
    frames = [Frame(plain((9, 9, 9)), Fraction(hours * 3600)) for hours in (0, 1, 48)]
    for time_base in (TICK, Fraction(1, 600)):
        with pytest.raises(OutputError, match=r"a\.mp4: a gap in time is too long .*e \.mkv"):
            write_film(PyAVWriter(tmp_path / "a.mp4", information(time_base)), frames)
        kept = [frame.time for frame in open_reader(tmp_path / "a.mp4")]
        assert kept == [frame.time for frame in frames[:2]]
    path = write_film(PyAVWriter(tmp_path / "a.mkv", information()), frames)
    assert [frame.time for frame in open_reader(path)] == [frame.time for frame in frames]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("times", [(0, 1, 3), (0, 1, 2, 3, 4), (0, 1, 2, 1500, 1525)])
def test_frames_after_a_pause_are_within_the_length_that_a_film_states(
    tmp_path: Path, suffix: str, times: tuple[int, ...]
) -> None:
    frames = [Frame(plain((9, 9, 9)), Fraction(time, 25)) for time in times]
    slow = [Frame(frame.image, 25 * frame.time) for frame in frames]
    for film in (frames, slow):
        path = write_film(PyAVWriter(tmp_path / f"a{suffix}", information()), film)
        assert [frame.time for frame in open_reader(path)] == [frame.time for frame in film]
        with av.open(str(path)) as container:
            assert container.duration / av.time_base > film[-1].time
