"""``facedots serve`` and ``facedots web``: faces over HTTP, and the browser page alone."""

import os
import re
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from facedots.cli.options import Host, Port, Workers, expand_options
from facedots.errors import FacedotsError
from facedots.pipeline_options import PipelineOptions
from facedots.service.settings import ServiceLimits

TOKEN = "FACEDOTS_TOKEN"


@expand_options
def serve(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Workers = 1,
    networks: PipelineOptions,
    more_models: Annotated[
        str, "Further networks that requests may name.", {"metavar": "MODEL,…"}
    ] = "",
    token_file: Annotated[
        Path | None,
        "File with the token that clients must send; or FACEDOTS_TOKEN.",
        {"dir_okay": False},
    ] = None,
    cors_origin: Annotated[
        str, "Web origins whose pages may use the service; * for all.", {"metavar": "ORIGIN,…"}
    ] = "",
    limits: ServiceLimits,
) -> None:
    """Serve faces over HTTP and WebSocket, until Ctrl-C or SIGTERM.

    The options of the networks are what requests get that name none. docs/how-to/serve.md has the
    requests and answers.
    """
    from facedots.service.run import serve as run_server
    from facedots.service.settings import ServiceSettings

    settings = ServiceSettings(
        networks=networks,
        models=_words(more_models),
        limits=limits,
        token=_token(token_file),
        origins=_words(cors_origin),
    )
    run_server(settings, host, port, workers)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _token(file: Path | None) -> str | None:
    """The token that a file, or else the environment, holds."""
    if file is None:
        token, name = os.environ.get(TOKEN), TOKEN
    else:
        try:
            token, name = file.read_text(encoding="utf-8").strip(), str(file)
        except (OSError, UnicodeDecodeError) as error:
            raise FacedotsError(f"{file}: the token cannot be read: {error}") from error
    if token is not None and not re.fullmatch("[!-~]+", token):
        raise FacedotsError(f"{name}: a token is one word of ASCII characters")
    return token


@expand_options
def web(
    *,
    port: Port = 8080,
    open_browser: Annotated[bool, "Open it in the browser.", {"name": "open"}] = False,
) -> None:
    """Serve the browser page to this machine, without a network, until Ctrl-C.

    Images and the camera stay in the browser. docs/how-to/browser.md has what the page does.
    """
    from facedots.web_page import PageServer

    with PageServer(port) as server, suppress(KeyboardInterrupt):
        typer.echo(f"{server.address} has the page; Ctrl-C ends it")
        if open_browser:
            webbrowser.open(server.address)
        server.serve_forever()
