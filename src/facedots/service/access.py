"""Who may use the service: a bearer token, and the origins of web pages."""

import hmac

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from facedots.service.problems import Problem

SUBPROTOCOL = "bearer"
"""Web pages, which cannot set headers of a WebSocket, offer the subprotocols ``bearer`` and the
token.
"""


class BearerToken(SecurityBase):
    """A dependency that lets a request pass if it brings the token.

    Args:
        token: What is expected; ``None`` lets everybody pass.
    """

    def __init__(self, token: str | None) -> None:
        self.model, self.scheme_name = HTTPBearer(), "bearer"
        self._token = token

    async def __call__(self, connection: HTTPConnection) -> None:
        """Check a request or a WebSocket.

        Raises:
            Problem: The token is missing or another one (401).
        """
        if self._token is None:
            return
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        offered = connection.scope.get("subprotocols", [])
        if len(offered) == 2 and offered[0] == SUBPROTOCOL:
            kind, token = offered
        same = hmac.compare_digest(token.strip().encode(), self._token.encode())
        if kind.lower() != SUBPROTOCOL or not same:
            headers = {"WWW-Authenticate": "Bearer"}
            raise Problem(401, "send the token as Authorization: Bearer TOKEN", headers=headers)


def check_origin(connection: HTTPConnection, origins: tuple[str, ...]) -> None:
    """Refuse a WebSocket of a web page of another origin, which browsers let through.

    Raises:
        Problem: The page's origin is neither the server's own nor one of ``origins`` (403).
    """
    origin = connection.headers.get("origin")
    if origin is None or "*" in origins or origin in origins:
        return
    if origin.partition("://")[2] != connection.headers.get("host"):
        raise Problem(403, "pages of this origin may not use the service (--cors-origin)")
