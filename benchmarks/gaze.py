"""Whether labeled pupils give the gaze of people who look into the camera.

    python tools/gpu_pack.py faces ../shared/data
    python benchmarks/gaze.py /tmp/facedots-gpu/faces

The faces are those of a labeled set in the pack that ``tools/gpu_pack.py`` writes, by default the
studio photos ``webmorph``. Who looks into the camera undoes the turn of the head with the eyes: yaw
and pitch of head and gaze add up to 0.
"""

import argparse
from datetime import date
from pathlib import Path

import numpy as np
from common import machine, markdown_table

from facedots import IBUG68, Camera, Face, FaceAnalyzer, load_annotations, tight_boxes
from facedots.annotations import FaceAnnotation

FAR = 6
"""Focal length over the size of a face: of a studio, and not of a crop's edges."""


def measure(label: FaceAnnotation) -> Face:
    """The face with its pose and gaze."""
    nothing = np.zeros(IBUG68.count, np.float32)
    face = Face(
        points=label.points,
        covariance=np.zeros((IBUG68.count, 2, 2), np.float32),
        confidence=nothing,
        box=tight_boxes(label.points[None])[0],
        score=1.0,
        schema=IBUG68,
        pupils=label.pupils,
        pupils_covariance=np.zeros((2, 2, 2), np.float32),
    )
    x0, y0, x1, y1 = face.box.tolist()
    camera = Camera(FAR * (y1 - y0), ((x0 + x1) / 2, (y0 + y1) / 2))
    return FaceAnalyzer(camera)(np.zeros((1, 1, 3), np.uint8), [face])[0]


def main() -> None:
    """Measure, print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack", type=Path, help="folder, of tools/gpu_pack.py faces")
    parser.add_argument("--set", default="webmorph", help="label style of the faces to take")
    options = parser.parse_args()
    subsets = load_annotations(options.pack).subsets.values()
    labels = [face for faces in subsets for face in faces if face.label_style == options.set]
    faces = [measure(label) for label in labels if label.pupils is not None]
    rows = list[list[str]]()
    for name in ("yaw", "pitch"):
        off = {what: list[float]() for what in ("head alone", "right eye", "left eye", "both")}
        for face in faces:
            if face.pose is None or face.gaze is None:
                continue
            head = getattr(face.pose, name)
            off["head alone"].append(head)
            off["both"].append(head + getattr(face.gaze, name))
            for side, eye in (("right", face.gaze.right_eye), ("left", face.gaze.left_eye)):
                if eye is not None:
                    off[f"{side} eye"].append(head + getattr(eye, name))
        for what, values in off.items():
            middle, spread = np.median(values), np.std(values)
            rows.append([name, what, str(len(values)), f"{middle:+.1f}°", f"{spread:.1f}°"])
    print(f"{date.today()}, {machine()}\n\n{len(faces)} faces of {options.set}\n")
    print(markdown_table(["angle", "of", "faces", "median", "standard deviation"], rows))


if __name__ == "__main__":
    main()
