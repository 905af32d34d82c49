"""Write what Python computes, for the tests of the npm package to compare with: JSON, and pixels as
raw RGB. All images are drawn here.

    python tools/web_fixtures.py [--out web/package/tests/fixtures]
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
from PIL import ExifTags
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo
from web_constants import MODELS, PACKAGE, plain
from web_eyes import LOOKING_SIZE, eyes_network, looking_faces
from web_inspection import NETWORK

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
from facedots.data import draw_face
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

FRAMES, RATE, CLIP_SIZE = 60, 30, (320, 240)
EYE_CORNERS = (36, 45)
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


def drawn(seed: int) -> tuple[Image, Floats]:
    """A drawn face and its points."""
    return draw_face(np.random.default_rng((0, seed)))


def placed(image: Image, seed: int, eyes: float, center: tuple[float, float], roll: float) -> None:
    """Paint a drawn face over an image, as an ellipse with eyes this far apart."""
    face, points = drawn(seed)
    x, y, side, tilt = upright_square(points, EYE_CORNERS)
    zoom = eyes / float(np.linalg.norm(points[EYE_CORNERS[0]] - points[EYE_CORNERS[1]]))
    matrix = similarity(roll - tilt, zoom, (center[0] - x, center[1] - y), (x, y))
    size = image.shape[:2]
    mask = np.zeros(face.shape[:2], np.uint8)
    half = (int(0.75 * side), int(0.85 * side))
    cv2.ellipse(mask, (int(x), int(y)), half, 0.0, 0.0, 360.0, 255, -1)
    inside = warp_image(mask, matrix, size) > 127
    image[inside] = warp_image(face, matrix, size)[inside]


def background(width: int, height: int) -> Image:
    """Soft colored patches."""
    patches = np.random.default_rng(7).integers(60, 200, (5, 7, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def scene(width: int, height: int, *faces: tuple[int, float, tuple[float, float], float]) -> Image:
    """Drawn faces on a background: seed, eye distance, center, roll."""
    image = background(width, height)
    for face in faces:
        placed(image, *face)
    return image


def scenes() -> dict[str, Image]:
    """The images of the whole way: one face, several, tilted, large, small, in tiles."""
    return {
        "one": scene(320, 240, (0, 60, (160, 125), 0)),
        "tilted": scene(482, 361, (2, 60, (130, 150), 25), (5, 60, (340, 180), -38)),
        "several": scene(
            640, 480, (9, 60, (120, 130), 5), (12, 60, (330, 140), -8), (15, 60, (520, 330), 12)
        ),
        "large": scene(900, 700, (3, 260, (450, 360), 10)),
        "small": scene(1000, 600, (5, 18, (300, 200), 0), (14, 16, (700, 400), 8)),
        "tiles": scene(2000, 1400, (5, 60, (300, 1100), 0), (2, 60, (1000, 600), 0)),
        "empty": background(200, 150),
    }


def crops(fixtures: Fixtures) -> None:
    """Warps, resized images, and the networks' answers on the same crops."""
    image, points = drawn(0)
    height, width = image.shape[:2]
    square = upright_square(points, EYE_CORNERS)
    pictures = {"drawn": image, "odd": image[: height | 1, : (width - 2) | 1].copy()}
    big = cv2.resize(image, (4 * width + 3, 4 * height + 1), interpolation=cv2.INTER_CUBIC)
    pictures["big"] = np.asarray(big, np.uint8)
    sources = {name: fixtures.image(name, each) for name, each in pictures.items()}
    warps, generator = [], np.random.default_rng(1)
    for name, picture in pictures.items():
        for i, side in enumerate((0.2, 0.7, 1.3, 2.9, 6.0, 11.0)):
            grow = picture.shape[1] / width
            x, y = square[:2] * grow + generator.uniform(-9, 9, 2)
            roll = generator.uniform(-40, 40) if i % 2 else 0
            matrix = crop_matrix((x, y, square[2] * side * grow, roll), 112)
            crop = fixtures.image(f"warp_{name}_{i}", warp_image(picture, matrix, (112, 112)))
            warps.append({"image": sources[name], "matrix": matrix.ravel(), "crop": crop})
    sizes = [
        {"image": sources[name], "resized": fixtures.image(f"resized_{i}", _resized(picture, zoom))}
        for i, (name, zoom) in enumerate([("drawn", 0.31), ("big", 0.25), ("odd", 1.7)])
        for picture in [pictures[name]]
    ]
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
        batch = []
        for seed in range(6):
            image, points = drawn(seed)
            square = upright_square(points, EYE_CORNERS) * (1, 1, predictor.spec.crop.scale, 1)
            batch += [predictor.cut_crops(image, [crop_matrix(square, predictor.spec.input_size)])]
        outputs = predictor._session.run(np.concatenate(batch))._asdict()
        outputs |= {name: upper(outputs[name]) for name in ("covariance", "pupils_covariance")}
        predicted = {name: outputs[name] for name in predictor._session.outputs}
        crops = fixtures.image(f"crops_{name}", np.concatenate(np.concatenate(batch)))
        cases.append({"model": name, "crops": crops, "outputs": predicted})
    return cases


def upper(covariance: Floats) -> Floats:
    """``xx, xy, yy`` of covariances ``(..., 2, 2)``."""
    return np.asarray(covariance[..., [0, 0, 1], [0, 1, 1]])


def inside(fixtures: Fixtures) -> None:
    """A face and what the shipped network makes of it."""
    image, predictor = scenes()["tilted"], KeypointPredictor(NETWORK)
    face = Pipeline(predictor=predictor)(image)[0]
    square = upright_square(face.points, EYE_CORNERS) * (1, 1, predictor.spec.crop.scale, 1)
    crops = predictor.cut_crops(image, [crop_matrix(square, predictor.spec.input_size)])
    model = load_model(WEIGHTS[NETWORK].path)
    layers, maps = list_layers(model), feature_maps(model, crops[0])
    logits = maps[layers[-1].name].astype(np.float64)
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
    pupils_covariance = face.pupils_covariance
    return {
        "score": face.score,
        "box": face.box,
        "sigma": face.sigma,
        "schema": face.schema.name,
        "points": face.points,
        "covariance": upper(face.covariance),
        "confidence": face.confidence,
        "detection_score": face.detection_score,
        "track_id": face.track_id,
        "pose": asdict(face.pose) if face.pose else None,
        "signals": face.signals,
        "emotions": face.emotions,
        "visibility": face.visibility,
        "pupils": face.pupils,
        "pupils_covariance": None if pupils_covariance is None else upper(pupils_covariance),
        "gaze": asdict(face.gaze) if face.gaze else None,
    }


def detection_fields(found: Detections) -> list[dict[str, Any]]:
    """Detections by their names in the package."""
    squares = found.squares if found.squares is not None else np.zeros((0, 4), np.float32)
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
        for method in get_args(AnonymizeMethod):
            makers[method] = (Anonymizer(method), faces)
        makers["uncertain"] = (Anonymizer("solid", color=(0, 90, 200)), uncertain)
        for effect, (apply, given) in makers.items():
            result = fixtures.image(f"effect_{name}_{effect}", apply(image, given))
            source = {"name": name, "width": image.shape[1], "height": image.shape[0]}
            own = [fields(face) for face in given]
            cases.append({"effect": effect, "image": source, "faces": own, "result": result})
    art = {name: load_sticker(name) for name in sticker_names()}
    fixtures.cases |= {
        "effects": cases,
        "stickers": [fixtures.image(f"sticker_{name}", each.image) for name, each in art.items()],
        "table": table(results, predictor),
    }


def files(fixtures: Fixtures) -> None:
    """Image files that a browser may show otherwise, and the pixels that Python reads."""
    pixels = PillowImage.fromarray(scenes()["one"])
    ramp = np.tile(np.arange(pixels.width).astype(np.uint8), (pixels.height, 1))
    clear = PillowImage.merge("RGBA", [*pixels.split(), PillowImage.fromarray(ramp)])
    cases: list[tuple[str, bool, PillowImage.Image, dict[str, Any]]] = [
        ("one.png", True, pixels, {}),
        ("alpha.png", True, clear, {}),
        ("gray.png", True, pixels.convert("L"), {}),
    ]
    gamma = PngInfo()
    gamma.add(b"gAMA", (100000).to_bytes(4, "big"))
    cases += [("gamma.png", True, pixels, {"pnginfo": gamma})]
    for orientation in range(1, 9):
        exif = PillowImage.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        cases += [(f"turned{orientation}.jpg", False, pixels, {"exif": exif, "quality": 95})]
    decoded = []
    for name, exact, image, options in cases:
        image.save(fixtures.folder / name, **options)
        expected = fixtures.image(f"decoded_{name}", read_image(fixtures.folder / name))
        decoded.append({"file": name, "image": expected, "exact": exact})
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
    """Two drawn faces that pass each other, one leaving the image and coming back."""
    tracker, frames = Tracker(RetinaFace(), eyes(fixtures)), []
    for i in range(FRAMES):
        share = i / FRAMES
        frame = background(*CLIP_SIZE)
        placed(
            frame, 5, 26, (60 + 200 * share, 70 + 10 * np.sin(9 * share)), 15 * np.sin(7 * share)
        )
        placed(frame, 2, 40, (250 - 640 * min(share, 1 - share), 160), -5)
        faces = tracker(frame, i / RATE)
        source = fixtures.image(f"frame_{i:02}", frame)
        runs = tracker.detector_runs
        frames.append({"image": source, "faces": [fields(face) for face in faces], "runs": runs})
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
