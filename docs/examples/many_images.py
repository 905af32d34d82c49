"""Faces of a large collection of images with Ray Data, in several processes, as Parquet files.

pip install 'ray[data]'
python docs/examples/many_images.py photos --out faces --processes 2
"""

import argparse
from pathlib import Path
from typing import Any

import facedots
from facedots.io import SUFFIXES

Row = dict[str, Any]


class FindFaces:
    """Images to rows; one per process, so that the networks are loaded once."""

    def __init__(self) -> None:
        self.pipeline = facedots.Pipeline()

    def __call__(self, row: Row) -> list[Row]:
        """One row per face of the image ``row["path"]``, or one row without a face."""
        path = row["path"]
        try:
            faces = self.pipeline(facedots.read_image(path))
        except facedots.FacedotsError as error:
            return [_result(path, error=str(error))]
        return [_result(path, face) for face in faces] or [_result(path)]


def _result(path: str, face: facedots.Face | None = None, error: str = "") -> Row:
    """A row with the same columns in every case."""
    return {
        "path": path,
        "error": error,
        "found": face is not None,
        "score": float(face.score) if face else 0.0,
        "box": face.box.tolist() if face else [],
        "points": face.points.ravel().tolist() if face else [],
        "confidence": face.confidence.tolist() if face else [],
    }


def main() -> None:
    """Read a folder, write Parquet."""
    import ray

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    files = sorted(
        str(file.resolve()) for file in given.folder.rglob("*") if file.suffix.lower() in SUFFIXES
    )
    images = ray.data.from_items(
        [{"path": file} for file in files], override_num_blocks=4 * given.processes
    )
    images.flat_map(FindFaces, concurrency=given.processes).write_parquet(str(given.out.resolve()))


if __name__ == "__main__":
    main()
