"""A face service on the standard library: POST an image, get its faces as JSON.

python docs/examples/service.py --port 8000
curl --data-binary @photo.jpg http://127.0.0.1:8000/
"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

import facedots
from facedots.io import decode_image

LARGEST = 16 << 20
"""Bytes of an image that are accepted."""


class Handler(BaseHTTPRequestHandler):
    """Answers each request in a thread of its own; one at a time looks for faces."""

    timeout = 20
    pipeline = facedots.Pipeline()
    turn = Lock()

    def do_POST(self) -> None:
        """The faces in the image that is the request's body."""
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= LARGEST:
            return self.answer(
                413,
                {"error": f"send an image of 1 to {LARGEST} bytes as the body, with its length"},
            )
        try:
            image = decode_image(self.rfile.read(length))
        except facedots.FacedotsError as error:
            return self.answer(400, {"error": str(error)})
        with self.turn:
            faces = self.pipeline(image)
        return self.answer(200, {"faces": [face.to_dict() for face in faces]})

    def answer(self, status: int, content: dict[str, Any]) -> None:
        """Send JSON."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until Ctrl-C, to this machine only."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8000)
    with ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
