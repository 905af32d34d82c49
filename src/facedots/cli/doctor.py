"""``facedots doctor``: what is installed, what the hardware offers, and whether it works."""

import importlib.util
import json
import logging
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facedots.cli.options import expand_options
from facedots.cli.output import count_faces, echo
from facedots.errors import (
    EXTRAS,
    FacedotsError,
    OpenCVError,
    describe_unexpected,
    explain_missing_extra,
)
from facedots.runtime import PROVIDERS, TELEMETRY_VARIABLE, telemetry_wanted

if TYPE_CHECKING:
    from facedots.geometry import Image
    from facedots.types import Face

_OPENCV = ("opencv-python", "opencv-contrib-python")
OPENCV_WHEELS = (*_OPENCV, *(f"{name}-headless" for name in _OPENCV))
RUNTIME_WHEELS = (
    "onnxruntime",
    *(f"onnxruntime-{name}" for name in ("gpu", "openvino", "directml", "qnn", "rocm")),
)
_BUILD = ("GUI", "FFMPEG", "Parallel framework")
_FEATURES = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_ARM_FEATURES = ("asimd", "asimddp", "i8mm", "bf16")
_RUNS = 5


@dataclass(frozen=True)
class Finding:
    """A line of the report; ``fix`` is empty where nothing is broken."""

    name: str
    text: str
    fix: str = ""


@expand_options
def doctor(
    as_json: Annotated[bool, "Print JSON, with the same findings.", {"name": "json"}] = False,
) -> None:
    """Show versions, hardware, data and weights, and find the face of the sample portrait.

    It runs on every device that ONNX Runtime has. Where something is broken, the fix is printed,
    and the exit status is 1.
    """
    findings = [finding for check in CHECKS for finding in _run(check)]
    faults = sum(bool(finding.fix) for finding in findings)
    if as_json:
        report = {"ok": not faults, "findings": list(map(asdict, findings))}
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            echo(f"{finding.name:12} {finding.text}")
            if finding.fix:
                echo(f"{'BROKEN':>12} {finding.fix}")
        echo(f"{faults} broken" if faults else "all is well")
    if faults:
        raise typer.Exit(1)


def _run(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What a check finds; that it fails is a finding too."""
    findings = list[Finding]()
    try:
        with explain_missing_extra():
            findings += check()
    except FacedotsError as error:
        findings.append(Finding(check.__name__, "failed", str(error)))
    except Exception as error:  # a broken installation fails in any way
        findings.append(Finding(check.__name__, "failed", describe_unexpected(error)))
    return findings


def installation() -> Iterator[Finding]:
    """Python, facedots, torch and the extras."""
    yield Finding("python", f"{platform.python_version()}, {platform.platform()}")
    yield Finding("facedots", f"{version('facedots')}, {Path(__file__).parents[1]}")
    for name in _installed(("torch",)):
        yield Finding("torch", name)
    packages = {extra: [p for p in EXTRAS if EXTRAS[p] == extra] for extra in EXTRAS.values()}
    for extra, names in sorted(packages.items()):
        missing = [name for name in names if importlib.util.find_spec(name) is None]
        text = f"without {', '.join(missing)}: pip install 'facedots[{extra}]'"
        yield Finding(f"[{extra}]", text if missing else "installed")


def numpy() -> Iterator[Finding]:
    """NumPy."""
    import numpy

    yield Finding("numpy", numpy.__version__)


def opencv() -> Iterator[Finding]:
    """OpenCV: one package, and how it is built."""
    import cv2

    wheels, build = _installed(OPENCV_WHEELS), cv2.getBuildInformation()
    found = [(key, re.search(rf"^ *{key}: +(\S+)", build, re.MULTILINE)) for key in _BUILD]
    facts = ", ".join(f"{key} {match[1]}" for key, match in found if match)
    text = f"{cv2.__version__} of {' and '.join(wheels) or 'no package of pip'}; {facts}"
    fault = f"{len(wheels)} packages overwrite each other: {OpenCVError.REINSTALL}"
    yield Finding("opencv", text, fault * (len(wheels) > 1))


def onnxruntime() -> Iterator[Finding]:
    """ONNX Runtime: one package, its providers, its telemetry."""
    import onnxruntime

    wheels, providers = _installed(RUNTIME_WHEELS), onnxruntime.get_available_providers()
    text = f"{onnxruntime.__version__} of {' and '.join(wheels) or 'no package of pip'}"
    names = [wheel.partition("==")[0] for wheel in wheels]
    fault = (
        f"{len(wheels)} packages overwrite each other: pip uninstall -y {' '.join(names)}; "
        "pip install the one for your hardware, as in docs/how-to/hardware.md"
    )
    yield Finding("onnxruntime", text, fault * (len(wheels) > 1))
    yield Finding("providers", ", ".join(providers))
    yield Finding("telemetry", f"on, by {TELEMETRY_VARIABLE}" if telemetry_wanted() else "off")


def processor() -> Iterator[Finding]:
    """Cores, threads, and the instructions that networks gain from."""
    import cv2

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS", "not set")
    threads = f"OpenCV {cv2.getNumThreads()}, networks 1 (--threads); OMP_NUM_THREADS {limit}"
    yield Finding("threads", f"{usable} of {os.cpu_count()} cores; {threads}")
    yield Finding("cpu", f"{platform.machine()}: {', '.join(_features()) or 'features unknown'}")


def _features() -> list[str]:
    """Of the processor, by the names of Linux; elsewhere NumPy's levels."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        import numpy

        return list(numpy.show_config(mode="dicts")["SIMD Extensions"]["found"])
    return [name for name in (*_FEATURES, *_ARM_FEATURES) if name in words]


def data() -> Iterator[Finding]:
    """The data that tests and notebooks look for."""
    from facedots.annotations.known_sets import recognize

    given = os.environ.get("FACEDOTS_DATA")
    folder = Path(given or "../shared/data")
    sets = sorted({labels.known.name for labels in recognize(folder)}) if folder.is_dir() else []
    where = f"$FACEDOTS_DATA = {folder}" if given else str(folder)
    text = f"{where}: {', '.join(sets)}" if sets else f"none in {where}, needed for training alone"
    fix = f"set it to a folder with data, or: facedots data download {folder}"
    yield Finding("data", text, fix * (bool(given) and not sets))


def weights() -> Iterator[Finding]:
    """The networks that come with facedots, byte for byte."""
    from facedots.detection import finder
    from facedots.inference import weights

    networks = {**weights.WEIGHTS, **finder.WEIGHTS}
    for network in networks.values():
        network.read()
    yield Finding("weights", f"{', '.join(networks)}: SHA-256 as pinned")


def portrait() -> Iterator[Finding]:
    """The sample portrait on every device, compared with the CPU's answer."""
    import onnxruntime

    from facedots.io.images import read_image, sample_portrait

    if importlib.util.find_spec("matplotlib") is None:
        yield Finding("portrait", "not run: it comes with facedots[plots]")
        return
    image, available = read_image(sample_portrait()), onnxruntime.get_available_providers()
    answers = {}
    for device in (device for device, name in PROVIDERS.items() if name in available):
        faces, milliseconds, warnings = _find_faces(image, device)
        answers[device] = faces
        text = f"{device}: {count_faces(len(faces))}, {milliseconds:.0f} ms"
        if len(faces) == len(answers["cpu"]) == 1 and device != "cpu":
            shift = abs(faces[0].points - answers["cpu"][0].points).max()
            text += f", points within {shift:.3f} px of the CPU's"
        fault = "" if len(faces) == 1 else "one face is expected: install facedots again"
        yield Finding("portrait", text, "; ".join([*warnings, *filter(None, [fault])]))


def _find_faces(image: "Image", device: str) -> tuple[list["Face"], float, list[str]]:
    """The faces, the best time in milliseconds, and what the log says about the device."""
    from facedots.detection.retinaface import RetinaFace
    from facedots.inference.predictor import KeypointPredictor
    from facedots.pipeline import Pipeline

    times, warnings = list[float](), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("facedots")
    logger.addHandler(handler)
    try:
        detector = RetinaFace(providers=device)
        pipeline = Pipeline(detector, KeypointPredictor(providers=device))
        for _ in range(_RUNS):
            start = time.perf_counter()
            faces = pipeline(image)
            times.append(time.perf_counter() - start)
    finally:
        logger.removeHandler(handler)
    return faces, 1000 * min(times), warnings


def _installed(names: tuple[str, ...]) -> list[str]:
    """The packages of pip that are installed, with their versions."""
    found = []
    for name in names:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return found


CHECKS = (installation, numpy, opencv, onnxruntime, processor, data, weights, portrait)
