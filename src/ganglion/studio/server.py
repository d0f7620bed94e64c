"""`ganglion.studio`: serves the studio on this machine and opens it in the browser."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from ganglion.errors import DeviceError, RunError
from ganglion.platform.files import cache_folder, home_expanded, storage_errors
from ganglion.studio.security import Origins
from ganglion.studio.state import Studio

__all__ = ["Server", "prepare_server", "runs_folder", "studio"]


HERE = "127.0.0.1"
FIRST_PORT, PORTS = 7860, 40  # tried one after the other


class Server:
    """A studio with its socket, not yet serving. `url` is the page to open."""

    def __init__(self, app: object, sock: socket.socket, url: str) -> None:
        from uvicorn import Config
        from uvicorn import Server as Uvicorn

        self.url, self._socket = url, sock
        self._server = Uvicorn(Config(app, log_level="error", access_log=False, ws="none", timeout_graceful_shutdown=2))
        # pages that are still open wait for answers; that these are given up at the end is no error
        logging.getLogger("uvicorn.error").addFilter(lambda record: not self._server.should_exit)

    def serve(self) -> None:
        """Serves until Ctrl-C, or `stop` from another thread."""
        with suppress(KeyboardInterrupt):
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        self._server.should_exit = True


def studio(
    folder: str | Path = "runs",
    *,
    port: int | None = None,
    host: str | None = None,
    password: str | None = None,
    browser: bool = True,
    block: bool = True,
    cache: str | Path | None = None,
    say: Callable[[str], None] = print,
) -> Server:
    """Opens a page in the browser that shows the runs under `folder`, live, and trains new ones there.

    folder: searched for runs; new ones are made in it. A run's own folder opens that run.
    port: None: the first free one from 7860 on. host: an address at which other machines reach it, such as "0.0.0.0"; only
        with `password`, which a browser asks for (any user name). None: this machine only, at 127.0.0.1.
    browser: open it. block: serve until Ctrl-C; False: serve in a thread, and `stop()` of what is returned ends it.
    cache: folder for uploads and packed images; None: $GANGLION_CACHE or the user's cache folder.

    Trainings run in processes of their own and go on when the studio ends. Raises RunError where the port is taken or a
    password is missing, DeviceError where the extra `studio` is not installed, StorageError where a folder cannot be written.
    """
    server = prepare_server(Path(folder), port, host, password, Path(cache) if cache else cache_folder())
    say(f"Ganglion studio: {server.url}" + ("" if not block else " (Ctrl-C ends it; trainings go on)"))
    if browser:
        threading.Timer(0.8, webbrowser.open, [server.url]).start()
    if block:
        server.serve()
    else:
        threading.Thread(target=server.serve, daemon=True).start()
    return server


def prepare_server(folder: Path, port: int | None, host: str | None, password: str | None, cache: Path) -> Server:
    """Everything but serving. Raises as `studio` does."""
    check_extra()
    if host is not None and not password:
        raise RunError("--host lets other machines start trainings here: give a password too, with --password")
    folder, opened = runs_folder(folder)
    sock = listening(host or HERE, port)
    chosen = sock.getsockname()[1]
    here = Studio(folder, cache.absolute(), host is not None, (folder, Path.cwd()))
    with storage_errors(here.uploads):
        here.uploads.mkdir(parents=True, exist_ok=True)
    from ganglion.studio.app import make_app

    shown = host if host not in (None, "0.0.0.0", "::") else HERE
    page = f"/run?run={quote(opened)}" if opened else "/"
    return Server(
        make_app(here, origins(host, chosen), password), sock, f"http://{_bracketed(shown or HERE)}:{chosen}{page}"
    )


def check_extra() -> None:
    """Raises DeviceError where Gradio is missing."""
    if find_spec("gradio") is None:
        raise DeviceError("the studio needs Gradio, which is not installed: pip install 'ganglion[studio]'")


def origins(host: str | None, port: int) -> Origins:
    """Host headers to which a server at `host` answers."""
    if host is None:
        return Origins(port)
    names = {
        HERE,
        "localhost",
        "[::1]",
        _bracketed(host).lower(),
        socket.gethostname().lower(),
        socket.getfqdn().lower(),
    }
    return Origins(port, frozenset(names), any_address=True)


def listening(host: str, port: int | None) -> socket.socket:
    """A socket at the port, or at the first free one from FIRST_PORT on. Raises RunError where there is none."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError) as error:
        raise RunError(
            f"--host {host} is no address of this machine ({error}): use 0.0.0.0 for all of its addresses"
        ) from None
    problem = OSError("none is free")
    for number in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS):
        sock = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":  # there it would allow two servers at one port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, number))
        except (OSError, OverflowError) as error:
            problem = error if isinstance(error, OSError) else OSError(str(error))
            sock.close()
        else:
            sock.listen(128)
            return sock
    where = f"port {port}" if port is not None else f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1}"
    raise RunError(f"{where} of {host} cannot be used ({problem.strerror or problem}): choose another with --port")


def runs_folder(folder: Path) -> tuple[Path, str]:
    """The folder of runs, and the run to open: of a run's own folder its parent and its name."""
    folder = home_expanded(folder).absolute()
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; expected a folder with runs, such as runs")
    if (folder / "recipe.yaml").is_file() or (folder / "vitals.jsonl").is_file():
        return folder.parent, folder.name
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder, ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
