"""What ``web.py`` measures in a browser: a page for each package that finds faces, and the host of
their files.

Every page defines ``show(url)``, which puts a frame on a canvas, and ``findShown()``, which finds
the faces on it; ``start()`` follows the camera until ``stop()``, and counts ``frames``.
"""

import gzip
import mimetypes
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import brotli  # type: ignore[import-not-found]
import numpy as np
from common import ROOT

from facedots import FacedotsError, from_mediapipe
from facedots.geometry import Floats

PEERS = ROOT / ".cache" / "peers" / "web"
PACKAGES = (
    "@vladmandic/face-api@1.7.15",
    "@tensorflow/tfjs-backend-wasm@4.22.0",
    "@mediapipe/face_mesh@0.4.1657299874",
)
BUILT = {"package": ROOT / "web" / "package" / "dist", "page": ROOT / "web" / "page" / "dist"}

FACEDOTS = """
import {{ FaceDots }} from "/package/index.js";
const dots = await FaceDots.create({{ model: "{model}" }});
const find = async (source) => (await dots.detect(source)).map(({{ points }}) => points);
const follow = (video) => dots.track(video);
"""
FACE_API = """
import * as faceapi from "/peers/@vladmandic/face-api/dist/face-api.esm.js";
faceapi.tf.setWasmPaths("/peers/@tensorflow/tfjs-backend-wasm/dist/");
await faceapi.tf.setBackend("wasm");
const {{ {net}, faceLandmark68Net }} = faceapi.nets;
for (const net of [{net}, faceLandmark68Net]) {{
  await net.loadFromUri("/peers/@vladmandic/face-api/model");
}}
const find = async (source) => {{
  const faces = await faceapi.detectAllFaces(source, new faceapi.{options}()).withFaceLandmarks();
  return faces.map(({{ landmarks }}) => landmarks.positions.map(({{ x, y }}) => [x, y]));
}};
"""
# It runs on the processor, as all others here do, and forgets the face before by an empty image.
FACE_MESH = """
await new Promise((resolve) => {{
  const script = document.createElement("script");
  [script.src, script.onload] = ["/peers/@mediapipe/face_mesh/face_mesh.js", resolve];
  document.head.append(script);
}});
const locateFile = (name) => `/peers/@mediapipe/face_mesh/${{name}}`;
const mesh = new FaceMesh({{ locateFile }});
mesh.setOptions({{ maxNumFaces: 4, refineLandmarks: {attention}, useCpuInference: true }});
let found = [];
mesh.onResults(({{ multiFaceLandmarks }}) => (found = multiFaceLandmarks ?? []));
await mesh.initialize();
const nothing = document.createElement("canvas");
nothing.getContext("2d").fillRect(0, 0, nothing.width, nothing.height);
const prepare = () => mesh.send({{ image: nothing }});
const find = async (source) => {{
  await mesh.send({{ image: source }});
  return found.map((vertices) => vertices.map(({{ x, y }}) => [x, y]));
}};
"""
EVERY_PAGE = """
async function* findEach(video) {
  for (;;) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    yield await find(video);
  }
}
const canvas = document.createElement("canvas");
window.show = async (url) => {
  const image = await createImageBitmap(await (await fetch(url)).blob());
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0);
  if (typeof prepare !== "undefined") await prepare();
};
window.findShown = async () => {
  const start = performance.now();
  const faces = await find(canvas);
  return { faces, ms: performance.now() - start };
};
let stream = null;
window.start = async () => {
  window.frames = 0;
  const size = { width: 640, height: 480 };
  const video = document.createElement("video");
  stream = video.srcObject = await navigator.mediaDevices.getUserMedia({ video: size });
  await video.play();
  const frames = typeof follow === "undefined" ? findEach(video) : follow(video);
  for await (const _ of frames) {
    if (video.srcObject !== stream) break;
    window.frames++;
  }
};
window.stop = () => {
  stream.getTracks().forEach((track) => track.stop());
  stream = null;
};
window.ready = true;
"""
NETWORK = """
import * as ort from "/runtime/ort.wasm.min.mjs";
ort.env.wasm.wasmPaths = "/runtime/";
ort.env.wasm.numThreads = 1;
const network = await (await fetch("/assets/{model}.onnx")).arrayBuffer();
const session = await ort.InferenceSession.create(network, {{ logSeverityLevel: 3 }});
window.runs = async (side, count) => {{
  const crops = new Uint8Array(side * side * 3).map((_, i) => i * 37);
  const times = [];
  for (let i = 0; i < count; i++) {{
    const start = performance.now();
    await session.run({{ crops: new ort.Tensor("uint8", crops, [1, side, side, 3]) }});
    times.push(performance.now() - start);
  }}
  return times;
}};
window.ready = true;
"""


@dataclass(frozen=True)
class Contestant:
    """A package with a network.

    Attributes:
        name: In tables.
        script: Of its page, see above.
        vertices: Its faces are MediaPipe's meshes.
    """

    name: str
    script: str
    vertices: bool = False

    def points(self, face: Any, width: int, height: int) -> Floats:
        """The 68 points ``(68, 2)`` of a face, (0, 0) the center of the top-left pixel."""
        points = np.array(face, np.float32)
        if self.vertices:
            return from_mediapipe(points, width, height)
        return points if self.name.startswith("facedots") else points - np.float32(0.5)


CONTESTANTS = {
    "tiny": Contestant("facedots tiny", FACEDOTS.format(model="tiny")),
    "small": Contestant("facedots small", FACEDOTS.format(model="small")),
    "face-api": Contestant(
        "face-api.js, tiny detector",
        FACE_API.format(net="tinyFaceDetector", options="TinyFaceDetectorOptions"),
    ),
    "face-api-ssd": Contestant(
        "face-api.js, SSD detector",
        FACE_API.format(net="ssdMobilenetv1", options="SsdMobilenetv1Options"),
    ),
    "mesh": Contestant("MediaPipe FaceMesh", FACE_MESH.format(attention="false"), True),
    "attention": Contestant(
        "MediaPipe FaceMesh + attention", FACE_MESH.format(attention="true"), True
    ),
}


def install_peers() -> None:
    """The npm packages, at the first call.

    Raises:
        FacedotsError: npm is missing or fails, or the page is not built.
    """
    for folder in BUILT.values():
        if not folder.is_dir():
            raise FacedotsError(f"{folder} is not built; run `make page`")
    done = PEERS / ".installed"
    if done.is_file() and done.read_text() == "\n".join(PACKAGES):
        return
    shutil.rmtree(PEERS, ignore_errors=True)
    PEERS.mkdir(parents=True)
    (PEERS / "package.json").write_text('{"private": true}')
    words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
    try:
        subprocess.run(words, cwd=PEERS, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or error
        raise FacedotsError(f"{' '.join(words)}: {reason}") from error
    done.write_text("\n".join(PACKAGES))


def plain_size(file: Path) -> int:
    """Of a file as it is, in bytes."""
    return file.stat().st_size


@cache
def brotli_size(file: Path) -> int:
    """Of a file from a host that compresses, in bytes; what is packed by gzip is unpacked first, as
    ``make page`` does.
    """
    data = file.read_bytes()
    unpacked = gzip.decompress(data) if file.suffix == ".gz" else data
    return min(len(data), len(brotli.compress(unpacked)))


@dataclass
class Host:
    """Serves folders and texts to this machine.

    Attributes:
        folders: First part of a path -> folder; ``""`` is the root.
        texts: Whole path -> HTML.
        brotli: Whether ``<name>.br`` is sent where it stands beside a file.
        sent: What was sent, with its size in bytes, since the last :meth:`forget`.
    """

    folders: Mapping[str, Path]
    texts: Mapping[str, str] = field(default_factory=dict)
    brotli: bool = False
    sent: list[tuple[Path, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start."""
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body, headers = host.answer(unquote(urlsplit(self.path).path))
                self.send_response(HTTPStatus.OK if headers else HTTPStatus.NOT_FOUND)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):  # the page is closed
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://localhost:{self.server.server_port}"

    def answer(self, path: str) -> tuple[bytes, dict[str, str]]:
        """Body and headers; no headers where there is no such file."""
        if path in self.texts:
            return self.texts[path].encode(), {"Content-Type": "text/html; charset=utf-8"}
        first, _, rest = path[1:].partition("/")
        file = self.folders[first] / rest if first in self.folders else self.folders[""] / path[1:]
        file = file / "index.html" if file.is_dir() else file
        if not file.is_file():
            return b"", {}
        headers = {"Content-Type": mimetypes.guess_type(file.name)[0] or "application/octet-stream"}
        packed = file.with_name(f"{file.name}.br")
        if self.brotli and packed.is_file():
            headers["Content-Encoding"] = "br"
        body = (packed if "Content-Encoding" in headers else file).read_bytes()
        self.sent.append((file, len(body)))
        return body, headers

    def forget(self) -> None:
        """Count anew."""
        self.sent.clear()

    @property
    def megabytes(self) -> float:
        """Sent so far, in MB (10^6 bytes)."""
        return sum(size for _, size in self.sent) / 1e6
