"""Write what the npm package shares with Python: ``src/constants.ts``, and the networks and
stickers in ``assets/``, both ignored by git.

    python tools/web_constants.py [--package web/package]

The specs come from the metadata of the ONNX files, which ONNX Runtime does not show in a browser.
"""

import argparse
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import yaml
from retinaface.weights import WEIGHTS as RETINAFACE  # type: ignore[import-untyped]
from web_inspection import NETWORK, inspection_network

from facedots import Camera, KeypointPredictor, RetinaFace, Tracker, regions, types, uncertainty
from facedots.analysis import BlinkCounter, emotion, expression, gaze, pose, shapes
from facedots.detection import candidates, retinaface, search
from facedots.effects import Anonymizer, Blush, Brows, Lips, anonymize, makeup, stickers
from facedots.inference import predictor
from facedots.inference.weights import WEIGHTS
from facedots.io import FaceColumns, atomic_write, headers, results
from facedots.schema import IBUG68
from facedots.tracking import smoothing, track, tracker

PACKAGE = Path(__file__).parents[1] / "web" / "package"
MODELS = ("tiny", "small")
"""The networks that the package carries; int8 ones answer differently from machine to machine."""

CONSTANTS: Mapping[ModuleType, str] = {
    uncertainty: "CONFIDENT_WITHIN _DIRECTIONS",
    predictor: "_BATCH _FITTING",
    retinaface: "_ANCHORS _MEAN_BGR _NMS_IOU",
    candidates: "TEMPLATE SQUARE_FIT _AGREEING _LEVEL _SAME_FACE_IOU _SAME_FACE_NEAR _CUT_INSIDE",
    search: "_MIN_FACES _HINTS _MAX_ZOOM _SMALLEST_VIEW _WHOLE_VIEW _COARSER _COARSEST_VIEW _TILE "
    "_OVERLAP _MAX_HINTS _DOUBT _SECOND_VIEW _SECOND_FACE _PART_INSIDE _EDGE",
    shapes: "HEAD_MODEL MEAN_SHAPE MIN_SQUEEZE MAX_MISFIT",
    pose: "POSE_POINTS MIN_POINTS",
    gaze: "CORNERS PUPIL_RADIUS EYE_CENTER",
    emotion: "EMOTIONS UNSURE SURE MAX_REPROJECTION_ERROR",
    expression: "SIGNALS OPEN_EYE CLOSED_EYE SMILE_AT_REST BROWS_AT_REST INNER_BROWS_AT_REST",
    smoothing: "MAX_GAP SHAPE MOTION _TYPICAL_SIGMA _EYES_OVER_RADIUS _MIN_STEP",
    track: "CONFIDENT_SCORE LOST_SCORE HIDDEN_SCORE MIN_IOU _MAX_MISSED _DUPLICATE_DISTANCE "
    "_MAX_OFFSET _MAX_OFFSET_PER_SECOND _MAX_APPEARANCE_COST _VELOCITY_RATE _APPEARANCE_RATE "
    "_APPEARANCE_EVERY _THUMBNAIL_SIDE _DARK",
    tracker: "_RECHECK_EVERY _NEW_FACE_IOU _HEAD_MARGIN _COST_LIMIT",
    regions: "_LOOPS BROW_HALF",
    makeup: "_LIGHTNESS_SHARE _FEATHERS _OUTLINE_FEATHER CHEEK_CENTER CHEEK_HALF_AXES",
    stickers: "_NEAREST",
    anonymize: "MIN_DETECTION_SCORE MIN_SCORE MAX_SIGMA MIN_IOU CELLS _BOX_GROWTH _FOREHEAD_RADIUS",
    headers: "MAX_PIXELS",
    results: "SCHEMA_VERSION",
    types: "VISIBLE",
}
"""Which constants of which modules the package uses."""


def defaults(function: Any) -> dict[str, Any]:
    """The default arguments of a function or a class."""
    parameters = inspect.signature(function).parameters.values()
    return {entry.name: entry.default for entry in parameters if entry.default is not entry.empty}


def model(name: str) -> dict[str, Any]:
    """What the package must know of a network, and its terms of use."""
    network = KeypointPredictor(name)
    spec = network.spec
    if spec.schema != IBUG68 or spec.channels != 3 or spec.crop.mode != "box":
        raise SystemExit(f"{name}: the package takes networks of IBUG68, RGB and crops of boxes")
    return {
        "inputSize": spec.input_size,
        "cropScale": spec.crop.scale,
        "dof": spec.dof,
        "predictsVisibility": network.predicts_visibility,
        "predictsPupils": network.predicts_pupils,
        "title": network.card.title,
        "license": network.card.license,
    }


def constants() -> dict[str, Any]:
    """Everything, by the names of Python's modules."""
    modules = {
        module.__name__.rpartition(".")[2]: {
            name.strip("_"): getattr(module, name) for name in names.split()
        }
        for module, names in CONSTANTS.items()
    }
    modules["retinaface"] |= {
        "ADJUSTMENT": RetinaFace.adjustment,
        "VIEW_FACES": RetinaFace.view_faces,
        "DEFAULTS": defaults(RetinaFace),
    }
    modules["pose"]["GUESSED_FOCAL"] = Camera.GUESSED_FOCAL
    mean, weights, bias = emotion.emotion_weights()
    modules["emotion"] |= {
        "POINTS": list(emotion.EMOTION_POINTS),
        "MEAN": mean,
        "WEIGHTS": weights,
        "BIAS": bias,
    }
    modules["expression"]["BLINK"] = defaults(BlinkCounter)
    modules["tracker"]["DEFAULTS"] = defaults(Tracker)
    modules["shapes"]["FOREHEAD"] = shapes.forehead(shapes.MEAN_SHAPE)
    modules["makeup"]["DEFAULTS"] = {
        kind.__name__.lower(): defaults(kind) for kind in (Lips, Brows, Blush)
    }
    modules["stickers"]["BUILT_IN"] = {
        name: yaml.safe_load((stickers.FOLDER / f"{name}.yaml").read_text("utf-8"))
        for name in stickers.sticker_names()
    }
    modules["anonymize"]["DEFAULTS"] = defaults(Anonymizer)
    columns = FaceColumns(IBUG68, visibility=True, pupils=True)
    modules["results"] |= {"COLUMNS": columns.names, "DECIMALS": columns._decimals}
    schema = json.loads(IBUG68.to_json()) | {"right_to_left": IBUG68.right_to_left}
    networks = {"models": {name: model(name) for name in MODELS}, "inspection": NETWORK}
    return {**networks, "schema": schema, **modules}


def plain(value: Any) -> Any:
    """A value that JSON does not know, as one that it does."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{value!r} is no constant")


def write(package: Path) -> None:
    """Write ``src/constants.ts``, and the networks and stickers into ``assets``."""
    text = ["// Made by tools/web_constants.py.\n"]
    for name, value in constants().items():
        text.append(f"export const {name} = {json.dumps(value, default=plain)} as const;\n")
    atomic_write(package / "src" / "constants.ts", "".join(text))
    networks = {name: WEIGHTS[name].read() for name in MODELS}
    networks |= {"retinaface": RETINAFACE, "inspection": inspection_network()}
    files = {f"{name}.onnx": data for name, data in networks.items()}
    files |= {path.name: path.read_bytes() for path in stickers.FOLDER.glob("*.png")}
    for name, data in files.items():
        atomic_write(package / "assets" / name, data)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--package", type=Path, default=PACKAGE)
    write(parser.parse_args().package)


if __name__ == "__main__":
    main()
