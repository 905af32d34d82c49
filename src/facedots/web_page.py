"""The browser page that ``make page`` builds into the package: its files as answers over HTTP, and
a server of them alone.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from facedots.errors import FacedotsError
from facedots.inference.weights import WEIGHTS

FOLDER = Path(__file__).parent / "assets" / "web"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_HASHED = "assets/"
_NETWORK = re.compile(rf"{_HASHED}(\w+)\.onnx-[\w-]+\.gz")
_POLICY = re.compile(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"')


@dataclass(frozen=True)
class PageFile:
    """The answer to a request for a file of the page."""

    body: bytes
    headers: Mapping[str, str]


def is_built() -> bool:
    """Whether this installation has the page."""
    return (FOLDER / "index.html").is_file()


def network_of(path: str) -> str | None:
    """The network that a file of the page holds and the package has anyway, by its name.

    >>> network_of("assets/tiny.onnx-D-1ZIgRn.gz"), network_of("assets/index-nN7_o8pb.js")
    ('tiny', None)
    """
    match = _NETWORK.fullmatch(path)
    return match[1] if match and match[1] in {*WEIGHTS, "retinaface"} else None


def page_file(path: str, encodings: str = "") -> PageFile | None:
    """A file of the page, or nothing where there is none.

    Args:
        path: That of the URL; ``/`` is the page itself.
        encodings: ``Accept-Encoding`` of the request. Beside a file, ``<name>.br`` has the same by
            brotli; beside a packed one, what it holds, which the page takes as well.
    """
    if not is_built():
        return None
    name = unquote(path).lstrip("/") or "index.html"
    headers = _headers(name)
    if network := network_of(name):
        return PageFile(_packed(network), headers)
    file = (FOLDER / name).resolve()
    if file.suffix not in _TYPES or not (file.is_relative_to(FOLDER) and file.is_file()):
        return None
    brotli = file.with_name(f"{file.name}.br")
    if brotli.is_file():
        headers["Vary"] = "Accept-Encoding"
        if re.search(r"\bbr\b(?!;q=0(\.0*)?\s*(,|$))", encodings):
            return PageFile(brotli.read_bytes(), headers | {"Content-Encoding": "br"})
    return PageFile(file.read_bytes(), headers)


def _headers(name: str) -> dict[str, str]:
    """The policy is the page's own: workers, scripts and frames have only that of their answer."""
    fixed = name.startswith(_HASHED)  # a change of the content changes the name
    return {
        "Content-Type": _TYPES.get(Path(name).suffix, ""),
        "Cache-Control": "public, max-age=31536000, immutable" if fixed else "no-cache",
        "Content-Security-Policy": f"{_policy(FOLDER / 'index.html')}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


@cache
def _policy(index: Path) -> str:
    match = _POLICY.search(index.read_text(encoding="utf-8"))
    return match[1] if match else "default-src 'self'"


@cache
def _packed(network: str) -> bytes:
    if network in WEIGHTS:
        return gzip.compress(WEIGHTS[network].read())
    from retinaface.weights import WEIGHTS as RETINAFACE  # type: ignore[import-untyped]

    return gzip.compress(RETINAFACE)


class PageServer(ThreadingHTTPServer):
    """Serves the page to this machine.

    Raises:
        FacedotsError: The page is not built, or the port cannot be used.

    Example:
        >>> with PageServer(port=8080) as server:  # doctest: +SKIP
        ...     server.serve_forever()
    """

    def __init__(self, port: int) -> None:
        if not is_built():
            raise FacedotsError(
                f"{FOLDER}: this installation has no browser page; `make page` in a checkout "
                "builds it, and `pip install .` then takes it along"
            )
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise FacedotsError(f"127.0.0.1:{port}: {reason}; choose --port") from error

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """Answer with a file and its headers."""
        path = urlsplit(self.path).path
        file = page_file(path, self.headers.get("Accept-Encoding", ""))
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        for name, value in file.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(file.body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(file.body)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the body."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Requests are not logged."""
