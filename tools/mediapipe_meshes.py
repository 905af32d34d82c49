"""Store the meshes that MediaPipe 0.10.21 finds on the images of a folder, for
``tools/fit_mediapipe_points.py``.

Its wheel holds its networks, but needs NumPy 1, hence an environment of its own:

    python3 -m venv /tmp/mediapipe
    /tmp/mediapipe/bin/pip install mediapipe==0.10.21
    /tmp/mediapipe/bin/python tools/mediapipe_meshes.py ../shared/data/300w meshes.npz
"""

import argparse
from pathlib import Path

import cv2
import mediapipe  # type: ignore[import-not-found]
import numpy as np

MAX_FACES = 4


def main() -> None:
    """Write the file name of each mesh and its ``float32 (N, 478, 2)`` vertices in [0, 1]."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("images", type=Path, help="a folder, with its subfolders")
    parser.add_argument("out", type=Path, help="the .npz file to write")
    arguments = parser.parse_args()
    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=MAX_FACES, refine_landmarks=True
    )
    files, meshes = list[str](), list[list[tuple[float, float]]]()
    for path in sorted(arguments.images.rglob("*.jpg")):
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for face in mesh.process(image).multi_face_landmarks or ():
            files.append(path.relative_to(arguments.images).as_posix())
            meshes.append([(vertex.x, vertex.y) for vertex in face.landmark])
    np.savez_compressed(arguments.out, files=files, meshes=np.array(meshes, np.float32))
    print(f"{len(meshes)} meshes on {len(set(files))} images: {arguments.out}")


if __name__ == "__main__":
    main()
