"""Composes the studio: pages, own addresses, and the layer of security around them."""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from typing import Any

from ganglion.studio.fragments import PAGE, rendered
from ganglion.studio.jobs import Jobs
from ganglion.studio.routes import add_routes
from ganglion.studio.security import Guard, Origins
from ganglion.studio.state import Studio

__all__ = ["PAGES", "make_app"]


PAGES = {
    "runs": ("Runs", "/"),
    "train": ("Train", "/train"),
    "doctor": ("Doctor", "/doctor"),
    "run": ("Overview", "/run"),
    "explore": ("Explore", "/explore"),
    "score": ("Score", "/score"),
}
"""Module of `pages`, the page's name and place, in the order of the navigation."""
OF_RUN = ("run", "explore", "score")
"""Those that are about the run in ?run=NAME."""
SCRIPTS, STYLES = (
    sorted((path.stem for path in PAGE.glob(f"*.{ending}")), key=lambda name: (name != "studio", name))
    for ending in ("js", "css")
)
"""All that lie beside the templates; what is common comes first."""
HEAD = "".join([
    '<meta name="color-scheme" content="light dark">',
    *(f'<link rel="stylesheet" href="/studio/assets/{name}.css">' for name in STYLES),
    *(f'<script src="/studio/assets/{name}.js" defer></script>' for name in SCRIPTS),
])  # fmt: skip
LARGEST_UPLOAD = "4gb"


def make_app(studio: Studio, origins: Origins, password: str | None = None, jobs: Jobs | None = None) -> Guard:
    """The whole studio as an ASGI application. Needs the extra `studio`."""
    _quiet(studio)
    from fastapi import FastAPI

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_routes(app, studio, jobs or Jobs(studio.jobs))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # it warns that several pages have no server-side rendering, which is not asked for
        mounted = _mounted(app, studio, origins.port)
    return Guard(mounted, origins, studio.uploads, password)


def _mounted(app: Any, studio: Studio, port: int) -> Any:
    from gradio import mount_gradio_app

    return mount_gradio_app(
        app, blocks(studio), path="/", show_error=False, max_file_size=LARGEST_UPLOAD, ssr_mode=False, footer_links=[],
        run_history=False, enable_monitoring=False, pwa=False, mcp_server=False, theme=theme(), head=HEAD,
        server_name="127.0.0.1", server_port=port,
    )  # fmt: skip


def blocks(studio: Studio) -> Any:
    """All pages as one application of Gradio, each under its own place."""
    import gradio as gr

    with gr.Blocks(title="Ganglion", analytics_enabled=False) as demo:
        _page(studio, "runs")
    for name, (title, place) in PAGES.items():
        if place != "/":
            with demo.route(title, place):
                _page(studio, name)
    return demo


def _page(studio: Studio, name: str) -> None:
    import gradio as gr

    general = [page for key, page in PAGES.items() if key not in OF_RUN]
    of_run = [page for key, page in PAGES.items() if key in OF_RUN]
    gr.HTML(
        rendered("header.html", pages=general, run_pages=of_run, here=PAGES[name][1]),
        padding=False,
        apply_default_css=False,
    )
    import_module(f"ganglion.studio.pages.{name}").build(studio)


def theme() -> Any:
    """Gradio's components in the colours of the report, without any font from elsewhere."""
    import gradio as gr

    plain = gr.themes.Base(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"],
        radius_size=gr.themes.sizes.radius_sm, spacing_size=gr.themes.sizes.spacing_md,
    )  # fmt: skip
    light = {
        "body_background_fill": "#ffffff", "body_text_color": "#1b1f24", "body_text_color_subdued": "#59636e",
        "background_fill_primary": "#ffffff", "background_fill_secondary": "#f5f7f9", "block_background_fill": "#f5f7f9",
        "block_border_color": "#d5dbe1", "block_label_background_fill": "#f5f7f9", "block_label_text_color": "#3a424a",
        "block_title_text_color": "#1b1f24", "block_info_text_color": "#59636e", "border_color_primary": "#d5dbe1",
        "input_background_fill": "#ffffff", "input_border_color": "#c3cbd3", "input_placeholder_color": "#667079",
        "button_primary_background_fill": "#2a62c4", "button_primary_background_fill_hover": "#2456ad",
        "button_primary_text_color": "#ffffff", "button_secondary_background_fill": "#f5f7f9",
        "button_secondary_text_color": "#1b1f24", "button_secondary_border_color": "#d5dbe1", "color_accent": "#2f6fde",
        "slider_color": "#2f6fde", "link_text_color": "#2358b8", "checkbox_background_color_selected": "#2a62c4",
    }  # fmt: skip
    dark = {
        "body_background_fill": "#14171a", "body_text_color": "#e4e8ec", "body_text_color_subdued": "#9aa5b1",
        "background_fill_primary": "#14171a", "background_fill_secondary": "#1d2125", "block_background_fill": "#1d2125",
        "block_border_color": "#343b42", "block_label_background_fill": "#1d2125", "block_label_text_color": "#c6ced6",
        "block_title_text_color": "#e4e8ec", "block_info_text_color": "#9aa5b1", "border_color_primary": "#343b42",
        "input_background_fill": "#14171a", "input_border_color": "#3d454d", "input_placeholder_color": "#98a2ad",
        "button_primary_background_fill": "#2a62c4", "button_primary_background_fill_hover": "#3470d8",
        "button_primary_text_color": "#ffffff", "button_secondary_background_fill": "#1d2125",
        "button_secondary_text_color": "#e4e8ec", "button_secondary_border_color": "#343b42",
        "slider_color": "#7aa8ff", "link_text_color": "#8fb6ff", "checkbox_background_color_selected": "#2a62c4",
    }  # fmt: skip
    return plain.set(**light, **{f"{name}_dark": value for name, value in dark.items()}, block_shadow="none")


def _quiet(studio: Studio) -> None:
    """What Gradio reads from the environment, some of it when it is first imported: where uploads go, and no statistics."""
    studio.uploads.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "GRADIO_TEMP_DIR": str(studio.uploads), "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_RUN_HISTORY": "False",
    }  # fmt: skip
