"""How fast one face is followed at 640 x 480 on one core, what the detector's share is, and whether
memory stays constant.

    python benchmarks/tracking.py [--data ../shared/data] [--model small] [--minutes 1 60] [--out
    out/tracking.json]

Speed is processor time of the tracker on decoded frames: detector, crops, network, identities,
smoothing; no drawing, no files. Memory is the largest resident size of ``facedots video FILM --out
… --csv …`` on videos of several lengths; each repeats one second of 160 x 120 pixels, whose packets
are copied, so that making an hour takes seconds.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from common import machine, parser_with_data

from facedots import (
    Detections,
    Detector,
    KeypointPredictor,
    RetinaFace,
    Tracker,
    open_reader,
    read_image,
    similarity,
    tight_boxes,
)
from facedots.data import draw_face, load_source
from facedots.geometry import Floats, Image
from facedots.io import Frame, PyAVWriter, VideoInfo, atomic_write

RATE = 30
SIZE = (640, 480)


@dataclass(frozen=True)
class Speed:
    """Of following one face; the detector's share is that of the processor time.

    Attributes:
        frames_a_second: Over processor time.
        milliseconds: Processor time of a frame, on average.
        detector_share: In percent.
        detections: Looks of the detector.
        frames: In all.
        followed: Frames with exactly one face.
    """

    frames_a_second: float
    milliseconds: float
    detector_share: float
    detections: int
    frames: int
    followed: int


@dataclass(frozen=True)
class Memory:
    """The largest resident size of the whole command, in MB, on a video of ``minutes``."""

    minutes: float
    frames: int
    megabytes: float


class Clock(Detector):
    """A detector whose processor time is counted."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.seconds = 0.0

    def __call__(self, image: Image) -> Detections:
        """What the detector says."""
        start = time.process_time()
        detections = self._detector(image)
        self.seconds += time.process_time() - start
        return detections


def still(data: Path) -> tuple[Image, Floats]:
    """An image with one large face: a test frame, or a drawn one where there is no data."""
    if not data.is_dir():
        return draw_face(np.random.default_rng(3))
    face = max(
        load_source(data, "youtube-faces").subsets["test"],
        key=lambda one: float(np.linalg.norm(one.points[36] - one.points[45])),
    )
    return read_image(face.image, orient=False), face.points


def moving(
    image: Image, points: Floats, size: tuple[int, int], count: int, share: float = 0.35
) -> list[Image]:
    """Frames in which the face, ``share`` of their height, swings and turns."""
    width, height = size
    box = tight_boxes(points[None])[0]
    middle, zoom = (box[:2] + box[2:]) / 2, share * height / (box[3] - box[1])
    frames = []
    for angle in np.linspace(0, 2 * np.pi, count, endpoint=False):
        shift = (
            np.array([width, height]) / 2
            - middle
            + np.array([0.2 * width * np.sin(angle), 0.1 * height * np.cos(2 * angle)])
        )
        matrix = similarity(12 * np.sin(angle), zoom, (shift[0], shift[1]), (middle[0], middle[1]))
        warped = cv2.warpAffine(
            image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        )
        frames.append(np.asarray(warped, np.uint8))
    return frames


def measure_speed(frames: list[Image], model: str, rounds: int) -> Speed:
    """The tracker on frames that repeat."""
    predictor = KeypointPredictor(model)
    clock = Clock(RetinaFace())
    tracker = Tracker(clock, predictor)
    followed, start = 0, time.process_time()
    total = rounds * len(frames)
    for number in range(total):
        followed += len(tracker(frames[number % len(frames)], number / RATE)) == 1
    seconds = time.process_time() - start
    share = 100 * clock.seconds / seconds
    return Speed(
        total / seconds, 1000 * seconds / total, share, tracker.detector_runs, total, followed
    )


def make_video(path: Path, second: list[Image], minutes: float) -> int:
    """A video that repeats one second, by copying its packets; returns its number of frames."""
    height, width = second[0].shape[:2]
    once = path.with_stem("once")
    with PyAVWriter(
        once, VideoInfo(width, height, Fraction(RATE), Fraction(1, RATE), None)
    ) as sink:
        for i, image in enumerate(second):
            sink.write(Frame(image, Fraction(i, RATE)))
    repeats = round(minutes * 60)
    with av.open(str(once)) as source, av.open(str(path), "w") as target:
        copied = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        step = round(1 / (packets[0].time_base or Fraction(1, RATE)))
        times = [
            (packet.pts or 0, packet.dts or 0, bytes(packet), packet.is_keyframe)
            for packet in packets
        ]
        for repeat in range(repeats):
            for pts, dts, data, key in times:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = (
                    copied,
                    packets[0].time_base,
                    key,
                )
                packet.pts, packet.dts = pts + repeat * step, dts + repeat * step
                target.mux(packet)
    return repeats * len(second)


def measure_memory(second: list[Image], minutes: float, model: str) -> Memory:
    """The whole command on one video."""
    with tempfile.TemporaryDirectory() as folder:
        video, out, table = (
            Path(folder) / "film.mp4",
            Path(folder) / "out.mp4",
            Path(folder) / "out.csv",
        )
        frames = make_video(video, second, minutes)
        with open_reader(video) as source:
            assert source.info.frames == frames
        command = [sys.executable, "-m", "facedots", "video", str(video)]
        child = subprocess.Popen(
            [*command, "--out", str(out), "--csv", str(table), "--model", model], stdout=sys.stderr
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, f"facedots video ended with {child.returncode}"
        return Memory(minutes, frames, usage.ru_maxrss / 1024)


def markdown(speed: Speed, memory: list[Memory]) -> str:
    """Both tables."""
    rows = [
        "| frames a second | ms a frame | detector's share | detector's calls | frames | one "
        "face in |",
        "|---|---|---|---|---|---|",
    ]
    cells = [
        f"{speed.frames_a_second:.0f}",
        f"{speed.milliseconds:.2f}",
        f"{speed.detector_share:.0f} %",
    ]
    rows.append(f"| {' | '.join(cells)} | {speed.detections} | {speed.frames} | {speed.followed} |")
    rows += ["", "| minutes of video | frames | largest memory, MB |", "|---|---|---|"]
    rows += [f"| {each.minutes:g} | {each.frames} | {each.megabytes:.0f} |" for each in memory]
    return "\n".join(rows)


def main() -> None:
    """Measure, print Markdown, write JSON."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--rounds", type=int, default=5, help="of 120 frames")
    parser.add_argument(
        "--minutes",
        type=float,
        nargs="*",
        default=[1, 10],
        help="lengths of the videos whose memory is measured",
    )
    parser.add_argument("--out", type=Path, help="write the numbers as JSON too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    image, points = still(options.data)
    speed = measure_speed(moving(image, points, SIZE, 120), options.model, options.rounds)
    small = moving(image, points, (160, 120), RATE)
    memory = [measure_memory(small, minutes, options.model) for minutes in options.minutes]
    print(
        f"One face at 640 x 480, one thread, {machine()}, {date.today()}, processor "
        f"time\n\n{markdown(speed, memory)}"
    )
    if options.out:
        document = {"date": str(date.today()), "machine": machine(), "speed": asdict(speed)}
        atomic_write(
            options.out,
            json.dumps(document | {"memory": [asdict(each) for each in memory]}, indent=2),
        )


if __name__ == "__main__":
    main()
