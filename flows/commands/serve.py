"""`llmops serve`: the application of a config, until Ctrl-C."""

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from llmops.flows.commands._options import home
from llmops.flows.console import Answer, command

app = typer.Typer()


@command(app, "serve")
def serve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A config with `flow: serve`.")],
    host: Annotated[
        str, typer.Option("--host", help="The address to listen on; any other wants keys.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65_535, help="Without it the config's; 0: a free one."),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Start also before the first build of a knowledge base."),
    ] = False,
) -> Answer:
    """Answer questions over HTTP, as OpenAI's, MCP's and Dify's clients ask them, until Ctrl-C."""

    import asyncio

    from llmops.configs.reading import read
    from llmops.configs.serve import ServeConfig
    from llmops.deployments.app import serving
    from llmops.deployments.app.application import create_app
    from llmops.deployments.app.bases import all_published

    found, place = read(config, ServeConfig), home()
    if not wait:
        all_published(found, place)
    required = serving.keys_needed(found, place, host)
    listener = serving.bound(host, found.port if port is None else port)
    _log_access()
    application = create_app(found, place, required=required)
    said = _shown(found.app, host, listener.getsockname()[1], required)
    asyncio.run(serving.serve(application, serving.server_of(application, found, said), listener))
    raise typer.Exit(0)


def _shown(name: str, host: str, port: int, required: bool) -> Callable[[], None]:
    """Says where it listens, once it does."""
    written = f"[{host}]" if ":" in host else host
    url = f"http://{written}:{port}"

    def show() -> None:
        if "--json" in sys.argv:
            told = {"app": name, "url": url, "keys_required": required}
            sys.stdout.write(json.dumps(told) + "\n")
        elif "--quiet" not in sys.argv:
            keys = "keys are required" if required else "no key is needed"
            sys.stdout.write(f"{name}  {url}  ({keys}; Ctrl-C ends it)\n")
        sys.stdout.flush()

    return show


def _log_access() -> None:
    """A line per request on standard error; `--quiet`: none. What goes wrong in the rooms below is
    told there, too.
    """
    levels = {"llmops.access": logging.INFO, "llmops.app": logging.INFO}
    for name, level in {**levels, "llmops.tasks": logging.WARNING}.items():
        logger = logging.getLogger(name)
        quiet = "--quiet" in sys.argv and name == "llmops.access"
        logger.setLevel(logging.WARNING if quiet else level)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
        logger.handlers[:] = [handler]
        logger.propagate = False
