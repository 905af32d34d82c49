"""tools/gpu_run.py, on a CPU: crops are packed, train over several calls, and weights come back."""

from dataclasses import replace
from pathlib import Path

import gpu_archive
import gpu_pack
import gpu_run
import numpy as np
import pytest

from facedots import KeypointPredictor, read_image
from facedots.data.scenes import Scene, tilted_square
from facedots.data.synthetic import cached_synthetic
from facedots.training.checkpoints import read_checkpoint

ROOT = Path(__file__).parents[2]
JOB = {"recipe": str(ROOT / "recipes/tiny.yaml"), "data": "faces", "sources": "custom"}
CALLS, SECONDS = 4, 120

pytestmark = pytest.mark.slow


def test_a_queue_is_trained_over_several_calls_and_comes_back(tmp_path: Path) -> None:
    there, here, carried = (tmp_path / name for name in ("there", "here", "carried"))
    faces = [
        replace(face, label_style=style)
        for face, style in zip(cached_synthetic(40), ["300w", "fgnet"] * 20, strict=True)
    ]
    subsets = {"train": faces[:32], "val": faces[32:36], "test": faces[36:]}
    gpu_pack.pack_faces(subsets, there / "faces", tmp_path)
    fields = {"styles": "300w,fgnet", "epochs": 3, "batch_size": 8}
    queue = {name: {**JOB, **fields, "seed": i} for i, name in enumerate("ab")}
    for _ in range(CALLS):
        runs, failed = gpu_run.train(queue, there, jobs=1, workers=1, seconds=SECONDS)
        assert failed == []
        gpu_archive.save_runs(runs, tmp_path / "out")
        if all((run / "model.onnx").exists() for run in runs) and len(runs) == len(queue):
            break
    gpu_archive.join_parts(tmp_path / "out", carried, here)
    for name in queue:
        run = here / "runs" / name
        assert not (run / "checkpoints/last.ckpt").exists()
        kept = read_checkpoint(run / "checkpoints/best.ckpt")
        assert set(kept) == {"state_dict", "epoch", "global_step"}
        predictor = KeypointPredictor(run / "model.onnx")
        image = read_image(faces[0].image)
        assert predictor.predict(image, [[0, 0, *image.shape[1::-1]]]).points.shape == (1, 68, 2)


def test_scenes_are_reduced_with_their_squares(tmp_path: Path) -> None:
    face = cached_synthetic(1)[0]
    scene = Scene(Path(str(face.image)), "drawn", tilted_square(face.points)[None] * 4)
    small = gpu_pack.reduced(scene, tmp_path / "0.webp")
    zoom = 100 / scene.squares[0, 2]
    height, width = (round(side * zoom) for side in read_image(scene.image).shape[:2])
    assert read_image(small.image).shape == (height, width, 3)
    np.testing.assert_allclose(
        small.squares[0, :3] + [0.5, 0.5, 0],
        zoom * (scene.squares[0, :3] + [0.5, 0.5, 0]),
        rtol=1e-4,
    )
