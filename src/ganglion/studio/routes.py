"""The studio's own addresses, beside Gradio's: live parts of pages, charts, sheets of samples, uploads, actions on a run."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ganglion.errors import GanglionError, RunError
from ganglion.studio.actions import act
from ganglion.studio.details import Readings
from ganglion.studio.fragments import PAGE, parts_of_run, rows_of_runs
from ganglion.studio.intake import Drops
from ganglion.studio.jobs import Jobs
from ganglion.studio.overview import Runs
from ganglion.studio.state import Studio

__all__ = ["add_routes"]


ASSETS = {
    path.name: kind
    for ending, kind in (("css", "text/css"), ("js", "text/javascript"))
    for path in PAGE.glob(f"*.{ending}")
}
THUMBNAIL = 152  # pixels: twice its size on the page
KEPT = {"cache-control": "private, max-age=3600"}
UNCHANGED = {
    "cache-control": "private, no-cache"
}  # kept, and asked for each time: a run that begins anew has the same steps


def add_routes(app: Any, studio: Studio, jobs: Jobs) -> None:
    """Adds them to a FastAPI application."""
    here = Addresses(studio, jobs)
    app.add_route("/studio/assets/{name}", here.asset)
    app.add_route("/studio/live/{page}", here.live)
    app.add_route("/studio/charts", here.charts)
    app.add_route("/studio/sheet/{kind}/{step:int}", here.sheet)
    app.add_route("/studio/thumbnail/{step:int}", here.sheet)
    app.add_route("/studio/act", here.act, methods=["POST"])
    app.add_route("/studio/compare", here.compare)
    app.add_route("/studio/upload/{token}", here.upload, methods=["GET", "POST"])


class Addresses:
    """The functions behind them: each takes a Starlette request and returns a response."""

    def __init__(self, studio: Studio, jobs: Jobs) -> None:
        self._studio, self._jobs = studio, jobs
        self._runs, self._readings, self._drops = Runs(studio.folder, jobs), Readings(jobs), Drops(studio.uploads)

    def asset(self, request: Any) -> Any:
        """Script and style of the pages, and the charting library with what the report's charts share."""
        from starlette.responses import Response

        name = request.path_params["name"]
        if name == "vega.js":
            from ganglion.report.render import chart_functions, library

            own_scope = f"(() => {{{library()}}})();"  # its short names are not the page's
            return Response(own_scope + chart_functions(), media_type="text/javascript", headers=KEPT)
        return Response((PAGE / name).read_bytes(), media_type=ASSETS[name]) if name in ASSETS else _missing(name)

    def live(self, request: Any) -> Any:
        """The parts of a page that are not those that it has."""
        read = self._rows if request.path_params["page"] == "runs" else self._parts
        return _json(
            _without(_said(lambda: read(request.query_params.get("run"))), _marks(request.query_params.get("have")))
        )

    def _rows(self, _name: str | None) -> dict[str, Any]:
        return {"parts": rows_of_runs(self._runs.summaries(), self._studio.folder)}

    def _parts(self, name: str | None) -> dict[str, Any]:
        path = self._studio.place(name)
        job = self._jobs.of(path)
        if job is None or not (job.alive or job.ending()):
            self._studio.run(name)  # says that it is gone, where it is
        return {
            "parts": parts_of_run(self._readings.details(path, str(name))),
            "charts": self._readings.charts(path)[0] if path.exists() else "",
        }

    def charts(self, request: Any) -> Any:
        """The charts of a run as Vega-Lite."""

        def found() -> dict[str, Any]:
            mark, panels = self._readings.charts(self._studio.run(request.query_params.get("run")))
            plain = [
                {"name": p.name, "title": p.title, "about": p.about, "scale": p.scale, "other": p.other_scale,
                 "spec": p.spec}
                for p in panels
            ]  # fmt: skip
            return {"mark": mark, "panels": plain}

        return _json({"panels": [], "mark": None} | _said(found))

    def sheet(self, request: Any) -> Any:
        """A sheet of samples of a run, or a thumbnail of one."""
        from starlette.responses import Response

        kind, small = request.path_params.get("kind", "fixed"), "kind" not in request.path_params
        try:
            if kind not in ("fixed", "fresh"):
                raise RunError("samples are fixed or fresh")
            folder = self._studio.run(request.query_params.get("run")) / "samples" / kind
            path = folder / f"{request.path_params['step']:08d}.png"
            changed = path.stat().st_mtime_ns
            tag = UNCHANGED | {"etag": f'"{changed}"'}
            if request.headers.get("if-none-match") == tag["etag"]:
                return Response(status_code=304, headers=tag)
            content = thumbnail(path, changed) if small else path.read_bytes()
        except (OSError, GanglionError, ValueError) as error:
            return _missing(str(error))
        return Response(content, media_type="image/webp" if small else "image/png", headers=tag)

    async def act(self, request: Any) -> Any:
        """What a button of a run's page does."""
        from starlette.concurrency import run_in_threadpool

        wanted = _marks((await request.body()).decode("utf-8", "replace"))
        return _json(await run_in_threadpool(_said, lambda: act(self._studio, self._jobs, wanted)))

    def compare(self, request: Any) -> Any:
        """Several runs on one page."""
        from starlette.responses import HTMLResponse

        from ganglion.report.compare import compare as compared
        from ganglion.report.compare import comparison_page

        try:
            chosen = [self._studio.run(name) for name in request.query_params.getlist("run")]
            return HTMLResponse(comparison_page(compared(chosen), back="/"))
        except (OSError, GanglionError) as error:
            return _missing(str(error))

    async def upload(self, request: Any) -> Any:
        """POST: one file of a drop, as the body. GET: where the drop lies."""
        token = request.path_params["token"]
        try:
            if request.method == "POST":
                await self._drops.take(token, request.query_params.get("name", ""), request.stream())
                return _json({})
            found = self._drops.result(token)
        except GanglionError as error:
            return _json({"problem": str(error)})
        return _json({"path": str(found.path), "files": found.files})


def _json(tree: dict[str, Any]) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse(tree)


def _missing(what: str) -> Any:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"This is not here: {what}", status_code=404)


def _said(found: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer, or what is wrong in a sentence."""
    try:
        return found()
    except GanglionError as error:
        return {"problem": str(error)}
    except OSError as error:  # deleted while it was read
        return {"problem": f"The run cannot be read ({error.strerror or error}): it was moved or deleted"}


def _marks(text: str | None) -> dict[str, Any]:
    try:
        tree = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _without(answer: dict[str, Any], marks: dict[str, Any]) -> dict[str, Any]:
    """Without the parts that the page has already."""
    parts = answer.get("parts", {})
    return answer | {"parts": {name: part for name, part in parts.items() if marks.get(name) != part["mark"]}}


@lru_cache(maxsize=256)
def thumbnail(path: Path, _changed: int) -> bytes:
    """The upper left of a sheet, a few samples, as WebP."""
    from PIL import Image

    with Image.open(path) as picture:
        plain = picture.convert("RGBA" if "A" in picture.mode else "RGB")
    side = max(1, min(plain.size) // 2)
    corner = plain.crop((0, 0, side, side))
    resampling = Image.Resampling.NEAREST if side < THUMBNAIL else Image.Resampling.LANCZOS
    corner = corner.resize((THUMBNAIL, THUMBNAIL), resampling)
    file = io.BytesIO()
    corner.save(file, "WEBP", quality=82)
    return file.getvalue()
