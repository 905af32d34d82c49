"""``facedots web``: the browser page on this machine."""

import webbrowser
from contextlib import suppress
from typing import Annotated

import typer

from facedots.cli.options import Port, expand_options


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
