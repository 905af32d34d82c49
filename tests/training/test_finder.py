"""A small finder from drawn scenes to a detector: training, resuming, export."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from typer.testing import CliRunner

from facedots.cli.main import app
from facedots.data.scenes import Scene, lower_face, map_squares, tilted_square, write_scenes
from facedots.data.synthetic import draw_face
from facedots.data.targets import finder_targets
from facedots.detection.finder import Finder
from facedots.errors import RecipeError
from facedots.geometry import Image, crop_matrix, warp_image
from facedots.models.finder import FinderModule, FinderNet, FinderOutput
from facedots.training.finder import load_finder, load_finder_recipe, train_finder
from facedots.training.finder_export import export_finder
from facedots.training.finder_task import FinderRecipe, _muon, finder_losses

RECIPE = FinderRecipe(epochs=1, canvases=16, canvas=96, batch_size=4)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn faces, one held out, and a gray photo without any."""
    folder, listed = tmp_path_factory.mktemp("scenes"), []
    random = np.random.default_rng(0)
    for i in range(4):
        image, points = draw_face(random)
        path = folder / f"{i}.png"
        cv2.imwrite(str(path), image[..., ::-1])
        squares, lower = tilted_square(points)[None], lower_face(points)[None]
        listed.append(Scene(path, "drawn", squares, lower_faces=lower, validation=i == 3))
    cv2.imwrite(str(folder / "none.png"), np.full((100, 100, 3), 128, np.uint8))
    write_scenes([*listed, Scene(folder / "none.png", "empty")], folder)
    return folder


@pytest.fixture(scope="module")
def run(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "finder"
    train_finder(RECIPE, scenes, folder)
    return folder


def test_a_run_holds_its_recipe_checkpoints_and_log(run: Path) -> None:
    assert load_finder_recipe(run / "recipe.yaml") == RECIPE
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    log = (run / "logs" / "version_0" / "metrics.csv").read_text()
    assert "val_ap" in log
    assert "val_drawn_recall" in log


def test_a_run_is_not_overwritten_but_resumed(run: Path, scenes: Path) -> None:
    with pytest.raises(RecipeError, match="already holds a run"):
        train_finder(RECIPE, scenes, run)
    (run / "recipe.yaml").write_text(yaml.safe_dump(RECIPE.model_dump() | {"epochs": 2}))
    result = CliRunner().invoke(app, ["train", "--resume", str(run)])
    assert (result.exit_code, result.output.strip()) == (0, str(run / "model.onnx"))
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] > 0


def test_the_exported_file_agrees_with_torch(run: Path) -> None:
    file = run / "model.onnx"
    assert file.stat().st_size < 180_000
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["facedots.card"])["title"]
    views = np.random.default_rng(0).integers(0, 256, (2, 64, 160, 3), np.uint8)
    scores, squares = session.run(None, {"images": views})
    with torch.inference_mode():
        expected = FinderModule(load_finder(run))(torch.from_numpy(views))
    np.testing.assert_allclose(scores, expected[0].numpy(), atol=1e-3)
    np.testing.assert_allclose(squares, expected[1].numpy(), atol=0.02)
    assert len(Finder(file, min_score=0.0)(views[0])) > 0


@pytest.mark.slow
def test_int8_is_close_and_smaller(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "finder-int8.onnx"
    assert export_finder(run, file, int8=True) < 0.02
    assert file.stat().st_size < 135_000


def test_losses_are_least_at_the_targets() -> None:
    targets = finder_targets(
        np.array([[40, 30, 32, 30]], np.float32), np.zeros((0, 4), np.float32), 64
    )
    batch = {name: torch.from_numpy(value)[None] for name, value in vars(targets).items()}
    right = FinderOutput((batch["heat"] == 1).float() * 40 - 20, batch["square"])
    assert sum(finder_losses(right, batch).values()) < 1e-3
    wrong = finder_losses(FinderNet()(torch.zeros(1, 64, 64, 3)), batch)
    assert sum(wrong.values()) > 1


def test_the_roll_of_turned_faces_is_learned() -> None:
    random, images, targets = np.random.default_rng(0), list[Image](), []
    for angle in range(-180, 180, 30):
        image, points = draw_face(random)
        x, y, side, roll = tilted_square(points)
        matrix = crop_matrix((x, y, 2 * side, roll + angle), 64)
        images.append(warp_image(image, matrix, (64, 64)))
        square = map_squares(np.array([[x, y, side, roll]], np.float32), matrix)
        targets.append(finder_targets(square, np.zeros((0, 4), np.float32), 64))
    fields = {name: np.stack([vars(one)[name] for one in targets]) for name in vars(targets[0])}
    batch = {name: torch.from_numpy(array) for name, array in fields.items()}
    torch.manual_seed(0)
    net, views = FinderNet(), torch.from_numpy(np.stack(images)).float() / 255
    optimizer = _muon(net, 0.01, 0.01)
    for _ in range(40):
        output = net(views)
        optimizer.zero_grad()
        loss = torch.stack(list(finder_losses(output, batch).values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    cell = batch["heat"] == 1
    found, wanted = (one[:, 3:].movedim(1, 3)[cell] for one in (output.square, batch["square"]))
    assert torch.cosine_similarity(found, wanted).median() > 0.99  # within 8 degrees
