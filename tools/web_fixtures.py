"""Write what Python computes, for the tests of the npm package to compare with: JSON, and pixels as
raw RGB. All images are drawn here.

    python tools/web_fixtures.py [--out web/package/tests/fixtures]
"""

import argparse
import dataclasses
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
from web_constants import MODELS, PACKAGE, plain
from web_eyes import LOOKING_SIZE, eyes_network, looking_faces
from web_inspection import NETWORK
from web_scenes import EYE_CORNERS, clip_frames, drawn, image_files, scenes

from facedots import (
    Camera,
    FaceAnalyzer,
    HeadPose,
    KeypointPredictor,
    Pipeline,
    RetinaFace,
    Tracker,
    read_image,
)
from facedots.analysis import HEAD_MODEL, BlinkCounter, face_columns, head_pose, project
from facedots.detection.base import Detections
from facedots.detection.search import Search, _resized
from facedots.effects import Anonymizer, Effect, load_sticker, named_effects, sticker_names
from facedots.effects.anonymize import AnonymizeMethod
from facedots.errors import PointsError
from facedots.geometry import (
    Floats,
    Image,
    apply_affine,
    crop_matrix,
    similarity,
    upright_square,
    warp_image,
)
from facedots.inference.weights import WEIGHTS
from facedots.inspection import feature_maps, list_layers, load_model
from facedots.io import atomic_write, to_csv
from facedots.io.results import image_fields
from facedots.schema import IBUG68
from facedots.tracking import FaceSmoother
from facedots.tracking.track import assign
from facedots.types import Face, ImageResult

RATE = 30
EYES = "eyes"


class Fixtures:
    """A folder of raw images, and the cases that name them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def image(self, name: str, image: Image) -> dict[str, Any]:
        """Keep the pixels; what a case says of them."""
        atomic_write(self.folder / f"{name}.rgb", image.tobytes())
        return {"name": name, "width": image.shape[1], "height": image.shape[0]}

    def tensor(self, name: str, values: Floats) -> dict[str, Any]:
        """Keep numbers; what a case says of them."""
        atomic_write(self.folder / f"{name}.f32", values.astype("<f4").tobytes())
        return {"name": name, "shape": values.shape}

    def write(self) -> None:
        """Write the cases."""
        text = json.dumps(self.cases, default=plain)
        atomic_write(self.folder / "cases.json", text)


def crops(fixtures: Fixtures) -> None:
    """Warps, resized images, and the networks' answers on the same crops."""
    face, points = drawn(0)
    height, width = face.shape[:2]
    square = upright_square(points, EYE_CORNERS)
    large = cv2.resize(face, (4 * width + 3, 4 * height + 1), interpolation=cv2.INTER_CUBIC)
    odd = face[: height | 1, : (width - 2) | 1].copy()
    originals = {"drawn": face, "odd": odd, "big": np.asarray(large, np.uint8)}
    sources = {name: fixtures.image(name, each) for name, each in originals.items()}
    warps, generator = [], np.random.default_rng(1)
    for name, image in originals.items():
        for i, side in enumerate((0.2, 0.7, 1.3, 2.9, 6.0, 11.0)):
            grow = image.shape[1] / width
            x, y = square[:2] * grow + generator.uniform(-9, 9, 2)
            roll = generator.uniform(-40, 40) if i % 2 else 0
            matrix = crop_matrix((x, y, square[2] * side * grow, roll), 112)
            crop = fixtures.image(f"warp_{name}_{i}", warp_image(image, matrix, (112, 112)))
            warps.append({"image": sources[name], "matrix": matrix.ravel(), "crop": crop})
    sizes = []
    for i, (name, zoom) in enumerate([("drawn", 0.31), ("big", 0.25), ("odd", 1.7)]):
        resized = fixtures.image(f"resized_{i}", _resized(originals[name], zoom))
        sizes.append({"image": sources[name], "resized": resized})
    fixtures.cases |= {"warps": warps, "resized": sizes, "networks": networks(fixtures)}


def eyes(fixtures: Fixtures) -> KeypointPredictor:
    """A network that also predicts pupils and visibility; its file is kept."""
    path = fixtures.folder / f"{EYES}.onnx"
    atomic_write(path, eyes_network())
    return KeypointPredictor(path)


def networks(fixtures: Fixtures) -> list[dict[str, Any]]:
    """What each network answers on crops of drawn faces."""
    cases = []
    predictors = {name: KeypointPredictor(name) for name in MODELS} | {EYES: eyes(fixtures)}
    for name, predictor in predictors.items():
        batch = np.concatenate([upright_crop(predictor, *drawn(seed)) for seed in range(6)])
        outputs = predictor._session.run(batch)._asdict()
        outputs |= {name: upper(outputs[name]) for name in ("covariance", "pupils_covariance")}
        predicted = {name: outputs[name] for name in predictor._session.outputs}
        crops = fixtures.image(f"crops_{name}", np.concatenate(batch))
        cases.append({"model": name, "crops": crops, "outputs": predicted})
    return cases


def upright_crop(predictor: KeypointPredictor, image: Image, points: Floats) -> Image:
    """The network's crop ``uint8 (1, S, S, 3)`` around a face."""
    square = upright_square(points, EYE_CORNERS) * (1, 1, predictor.spec.crop.scale, 1)
    return predictor.cut_crops(image, [crop_matrix(square, predictor.spec.input_size)])


def upper(covariance: Floats | None) -> Floats | None:
    """``xx, xy, yy`` of covariances ``(..., 2, 2)``."""
    return None if covariance is None else np.asarray(covariance[..., [0, 0, 1], [0, 1, 1]])


def inside(fixtures: Fixtures) -> None:
    """A face and what the shipped network makes of it."""
    image, predictor = scenes()["tilted"], KeypointPredictor(NETWORK)
    face = Pipeline(predictor=predictor)(image)[0]
    crops = upright_crop(predictor, image, face.points)
    model = load_model(WEIGHTS[NETWORK].path)
    layers, maps = list_layers(model), feature_maps(model, crops[0])
    logits = maps["head.maps"][: IBUG68.count].astype(np.float64)  # not the pupils
    powers = np.exp(logits - logits.max((1, 2), keepdims=True))
    fixtures.cases["inside"] = {
        "image": fixtures.image("inside", image),
        "face": face.points,
        "crop": fixtures.image("inside_crop", crops[0]),
        "points": fixtures.tensor("inside_points", predictor._session.run(crops).points[0]),
        "heatmaps": fixtures.tensor("heatmaps", powers / powers.sum((1, 2), keepdims=True)),
        "kernels": fixtures.tensor("kernels", layers[0].kernels),
        "featureMaps": fixtures.tensor("feature_maps", maps[layers[0].name]),
    }


def fields(face: Face) -> dict[str, Any]:
    """A face by the names of the JSON document, its numbers not rounded."""
    values = {each.name: getattr(face, each.name) for each in dataclasses.fields(face)}
    return values | {
        "sigma": face.sigma,
        "schema": face.schema.name,
        "covariance": upper(face.covariance),
        "pose": face.pose and asdict(face.pose),
        "gaze": face.gaze and asdict(face.gaze),
        # JSON has no NaN.
        "signals": {k: v if np.isfinite(v) else None for k, v in (face.signals or {}).items()},
        "pupils_covariance": upper(face.pupils_covariance),
    }


def detection_fields(found: Detections) -> list[dict[str, Any]]:
    """Detections by their names in the package."""
    squares = () if found.squares is None else found.squares
    return [
        {"box": box, "score": float(score), "square": square if np.isfinite(square).all() else None}
        for box, score, square in zip(found.boxes, found.scores, squares, strict=True)
    ]


def images(fixtures: Fixtures) -> None:
    """Images, what each search of the detector finds in them, and their faces."""
    predictor, analyze, cases = eyes(fixtures), FaceAnalyzer(), []
    pipeline, results = Pipeline(predictor=predictor), []
    searches: list[Search] = ["fast", "default"]
    detectors = {search: RetinaFace(search=search) for search in searches}
    for name, image in scenes().items():
        detections = {
            search: detection_fields(detector(image)) for search, detector in detectors.items()
        }
        faces = analyze(image, pipeline(image))
        result = ImageResult(name, image.shape[1], image.shape[0], faces)
        results.append(result)
        cases.append(
            {
                "image": fixtures.image(name, image),
                "detections": detections,
                "faces": [fields(face) for face in faces],
                "document": image_fields(result),
            }
        )
    fixtures.cases |= {"images": cases, "eyesTable": table(results, predictor)}


def table(results: list[ImageResult], predictor: KeypointPredictor) -> dict[str, Any]:
    """The CSV of faces, and what it is of."""
    images = [
        {"source": result.source, "faces": [fields(face) for face in result.faces]}
        for result in results
    ]
    return {"images": images, "csv": to_csv(results, IBUG68, face_columns(predictor))}


def effects(fixtures: Fixtures) -> None:
    """Effects on faces as they were found, and on one whose place is uncertain."""
    predictor, cases, results = KeypointPredictor("tiny"), [], []
    pipeline = Pipeline(predictor=predictor)
    for name, image in scenes().items():
        faces = pipeline(image)
        results.append(ImageResult(f"={name},.png", image.shape[1], image.shape[0], faces))
        if name not in ("several", "large"):
            continue
        uncertain = [replace(face, detection_score=0.5) for face in faces]
        makers: dict[str, tuple[Effect, list[Face]]] = {
            effect: (named_effects(effect)[0], faces)
            for effect in (*sticker_names(), "lips", "brows", "blush")
        }
        makers |= {method: (Anonymizer(method), faces) for method in get_args(AnonymizeMethod)}
        makers["uncertain"] = (Anonymizer("solid", color=(0, 90, 200)), uncertain)
        for effect, (apply, given) in makers.items():
            result = fixtures.image(f"effect_{name}_{effect}", apply(image, given))
            source, own = fixtures.image(name, image), [fields(face) for face in given]
            cases.append({"effect": effect, "image": source, "faces": own, "result": result})
    art = [fixtures.image(f"sticker_{name}", load_sticker(name).image) for name in sticker_names()]
    fixtures.cases |= {"effects": cases, "stickers": art, "table": table(results, predictor)}


def files(fixtures: Fixtures) -> None:
    """Image files that a browser may show otherwise, and the pixels that Python reads."""
    decoded = []
    for name, image, options in image_files():
        image.save(fixtures.folder / name, **options)
        expected = fixtures.image(f"decoded_{name}", read_image(fixtures.folder / name))
        decoded.append({"file": name, "image": expected, "exact": name.endswith(".png")})
    fixtures.cases["decoded"] = decoded


def poses(fixtures: Fixtures) -> None:
    """Heads in random poses, their points with noise, and OpenCV's pose."""
    generator, cases = np.random.default_rng(2), []
    camera = Camera.guess((480, 640))
    for _ in range(300):
        yaw, pitch, roll = generator.uniform((-70, -45, -80), (70, 45, 80))
        depth = np.exp(generator.uniform(np.log(1.6), np.log(40)))
        shift = np.array([*generator.uniform(-0.35, 0.35, 2) * depth, depth], np.float32)
        exact = HeadPose(yaw, pitch, roll, shift, 0.0)
        points = project(HEAD_MODEL, exact, camera)
        noise = generator.choice([0.0, 0.02, 0.06]) * camera.focal / depth
        points = points + generator.normal(0, 1, points.shape) * noise
        try:
            pose = asdict(head_pose(points, camera))
        except PointsError:
            pose = None
        cases.append({"points": points, "pose": pose})
    fixtures.cases["poses"] = cases


def gazes(fixtures: Fixtures) -> None:
    """Faces whose eyes look about, and their gaze."""
    camera, (height, width) = Camera.guess(LOOKING_SIZE), LOOKING_SIZE
    faces = FaceAnalyzer(camera)(np.zeros((height, width, 3), np.uint8), looking_faces(100, camera))
    size = {"width": width, "height": height}
    fixtures.cases["gazes"] = size | {"faces": [fields(face) for face in faces]}


def signals(fixtures: Fixtures) -> None:
    """Smoothed points of a moving face, counted blinks, and assignments."""
    generator, smoother, steps = np.random.default_rng(3), FaceSmoother(), []
    _, points = drawn(4)
    for i in range(50):
        time = i / RATE + (2.0 if i > 30 else 0.0)
        turn = similarity(9 * i - 170, 1 + i / 200, (2.0 * i, np.sin(i)), (80, 80))
        moved = apply_affine(turn, points) + generator.normal(0, 1, points.shape).astype(np.float32)
        sigma = generator.uniform(0.5, 4, len(points)).astype(np.float32)
        smooth = smoother(moved, sigma, time)
        steps.append({"time": time, "points": moved, "sigma": sigma, "smooth": smooth})
    counter, blinks = BlinkCounter(), []
    for i in range(200):
        opening = 0.085 + 0.004 * np.sin(i) - 0.06 * (i % 40 in (7, 8, 9)) - 0.05 * (120 < i < 150)
        counter.update({"right_eye_open": opening, "left_eye_open": opening}, i / RATE)
        blinks.append({"opening": opening, "time": i / RATE, "count": counter.count})
    tables = []
    for _ in range(100):
        costs = generator.uniform(0, 10, generator.integers(1, 6, 2))
        tables.append({"costs": costs, "limit": 7.0, "pairs": assign(costs, 7.0)})
    fixtures.cases |= {"smoothing": steps, "blinks": blinks, "assignments": tables}


def clip(fixtures: Fixtures) -> None:
    """The faces that are followed through a clip."""
    tracker, frames = Tracker(RetinaFace(), eyes(fixtures)), []
    for i, frame in enumerate(clip_frames()):
        faces = [fields(face) for face in tracker(frame, i / RATE)]
        source = fixtures.image(f"frame_{i:02}", frame)
        frames.append({"image": source, "faces": faces, "runs": tracker.detector_runs})
    fixtures.cases["clip"] = {"rate": RATE, "frames": frames}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=PACKAGE / "tests" / "fixtures")
    fixtures = Fixtures(parser.parse_args().out)
    for make in (crops, inside, images, effects, files, poses, gazes, signals, clip):
        make(fixtures)
    fixtures.write()


if __name__ == "__main__":
    main()
