"""The studio's own addresses, beside Gradio's: live parts of pages, charts, sheets of samples, actions on a run."""

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
from ganglion.studio.jobs import Jobs
from ganglion.studio.overview import Runs
from ganglion.studio.state import Studio

__all__ = ["add_routes"]


ASSETS = {"studio.css": "text/css", "explore.css": "text/css", "studio.js": "text/javascript", "charts.js": "text/javascript"}
THUMBNAIL = 152  # pixels: twice its size on the page
KEPT = {"cache-control": "private, max-age=3600"}  # a sheet of a step does not change


def add_routes(app: Any, studio: Studio, jobs: Jobs) -> None:
    """Adds them to a FastAPI application."""
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response

    runs, readings = Runs(studio.folder, jobs), Readings(jobs)

    def assets(request: Request) -> Any:
        name = request.path_params["name"]
        if name == "vega.js":
            from ganglion.report.render import library

            return Response(library(), media_type="text/javascript", headers=KEPT)
        if name not in ASSETS:
            return Response("There is no such page.", status_code=404)
        return Response((PAGE / name).read_bytes(), media_type=ASSETS[name])

    def live(request: Request) -> Any:
        query = request.query_params
        name = query.get("run")

        def found() -> dict[str, Any]:
            if request.path_params["page"] == "runs":
                return {"parts": rows_of_runs(runs.summaries(), studio.folder)}
            path = studio.place(name)
            details = readings.details(path, str(name))
            if not path.exists() and jobs.of(path) is None:
                studio.run(name)  # says that it is gone
            return {"parts": parts_of_run(details), "charts": readings.charts(path)[0] if path.exists() else ""}

        return JSONResponse(_without(_said(found), _marks(query.get("have"))))

    def charts(request: Request) -> Any:
        def found() -> dict[str, Any]:
            mark, panels = readings.charts(studio.run(request.query_params.get("run")))
            plain = [
                {"name": p.name, "title": p.title, "about": p.about, "scale": p.scale, "other": p.other_scale,
                 "spec": p.spec}
                for p in panels
            ]  # fmt: skip
            return {"mark": mark, "panels": plain}

        return JSONResponse({"panels": [], "mark": None} | _said(found))

    def sheet(request: Request) -> Any:
        kind, small = request.path_params.get("kind", "fixed"), "kind" not in request.path_params
        try:
            if kind not in ("fixed", "fresh"):
                raise RunError("samples are fixed or fresh")
            path = (
                studio.run(request.query_params.get("run"))
                / "samples"
                / kind
                / f"{request.path_params['step']:08d}.png"
            )
            content = thumbnail(path, path.stat().st_mtime_ns) if small else path.read_bytes()
        except (OSError, GanglionError, ValueError) as error:
            return Response(f"There is no such picture ({error}).", status_code=404, media_type="text/plain")
        return Response(content, media_type="image/webp" if small else "image/png", headers=KEPT)

    async def action(request: Request) -> Any:
        try:
            wanted = json.loads(await request.body())
        except ValueError:
            wanted = None
        if not isinstance(wanted, dict):
            return JSONResponse({"problem": "expected a JSON object"}, status_code=400)
        return JSONResponse(_said(lambda: act(studio, jobs, wanted)))

    def compare(request: Request) -> Any:
        from ganglion.report.compare import compare as compared
        from ganglion.report.compare import comparison_page

        try:
            chosen = [studio.run(name) for name in request.query_params.getlist("run")]
            return HTMLResponse(comparison_page(compared(chosen), back="/"))
        except (OSError, GanglionError) as error:
            return Response(str(error), status_code=404, media_type="text/plain")

    app.add_route("/studio/assets/{name}", assets)
    app.add_route("/studio/live/{page}", live)
    app.add_route("/studio/charts", charts)
    app.add_route("/studio/sheet/{kind}/{step:int}", sheet)
    app.add_route("/studio/thumbnail/{step:int}", sheet)
    app.add_route("/studio/act", action, methods=["POST"])
    app.add_route("/studio/compare", compare)


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
    except ValueError:
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
        side = min(picture.size)
        part = picture.convert("RGBA" if "A" in picture.mode else "RGB").crop((0, 0, side, side))
    corner = part.crop((0, 0, max(1, side // 2), max(1, side // 2))) if side > 2 * THUMBNAIL else part
    corner = corner.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    corner.save(file, "WEBP", quality=82)
    return file.getvalue()
