"""The tutorial notebook runs from its first cell to its last in a kernel of its own, and shows what its text says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: it is in the extra dev")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: it is in the extra dev")

DOCS = Path(__file__).parents[1] / "docs"
TUTORIAL = DOCS / "tutorial.ipynb"
SMALL = 'minutes = 0.05\nsamples_measured = 100\nfeatures = "random"'
MOST_BYTES = 400_000
pytestmark = pytest.mark.filterwarnings("ignore")  # of Jupyter's packages


def cell_with(notebook: Any, text: str) -> Any:
    (found,) = [cell for cell in notebook.cells if cell.cell_type == "code" and text in cell.source]
    return found


def html_of(cell: Any) -> list[str]:
    return [output.data.get("text/html", "") for output in cell.outputs if "data" in output]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook with its outputs; its first training takes three seconds."""
    notebook = nbformat.read(TUTORIAL, as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source += f"\n{SMALL}"
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANGLION_CACHE", str(folder / "cache"))
        patch.setenv("OMP_NUM_THREADS", "1")
        client = nbclient.NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        client.execute()
    return notebook


def test_every_cell_runs_and_none_writes_a_scroll_of_lines(executed: Any) -> None:
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert len(cells) >= 12
    for cell in cells:
        kinds = [output.output_type for output in cell.outputs]
        assert "error" not in kinds
        assert kinds.count("stream") <= ("print(" in cell.source)
        assert kinds.count("display_data") <= 5


def test_a_training_has_a_panel_with_charts_and_samples(executed: Any) -> None:
    shown = html_of(cell_with(executed, 'run="runs/tutorial",'))
    assert sum("progressbar" in html for html in shown) == 1
    (panel,) = [html for html in shown if "<svg" in html]
    assert "Losses" in panel
    assert "data:image/webp" in panel
    assert "100%" in next(html for html in shown if "progressbar" in html)


def test_a_run_shows_itself(executed: Any) -> None:
    (cell,) = [cell for cell in executed.cells if cell.source == "run"]
    (html,) = html_of(cell)
    assert "runs/tutorial" in html
    assert "<svg" in html


def test_the_training_that_was_made_sick_is_diagnosed(executed: Any) -> None:
    assert "as it was meant to" in str(cell_with(executed, "TrainingFailed").outputs)
    (html,) = html_of(cell_with(executed, "sick = ganglion.diagnose"))
    assert "learning-rate-too-high" in html
    assert '<span class="state failing">' in html
    assert "at most" in html
    assert "learning-rate-too-high" in str(cell_with(executed, "finding = sick.findings[0]").outputs)


@pytest.mark.parametrize(("cell", "about"), [("model.sample(40", "40 images of 32x32"), ("spherical", "64 images of 32x32"),
                                             ("walk_along", "64 images of 32x32")])  # fmt: skip
def test_arrays_of_samples_are_seen(executed: Any, cell: str, about: str) -> None:
    (html,) = html_of(cell_with(executed, cell))
    assert about in html


def test_scores_stand_beside_their_floors(executed: Any) -> None:
    html = html_of(cell_with(executed, "ganglion.evaluate"))[-1]
    assert "<b>kid</b>" in html
    assert "Floor" in html


def test_the_file_is_small_valid_and_without_outputs_or_traces_of_a_machine() -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    nbformat.validate(notebook)
    assert TUTORIAL.stat().st_size < MOST_BYTES
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_its_links_lead_somewhere() -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert len(links) >= 4
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_the_first_cell_installs_what_is_missing_and_nothing_else() -> None:
    first = next(cell for cell in nbformat.read(TUTORIAL, as_version=4).cells if cell.cell_type == "code")
    assert re.search(r"except ModuleNotFoundError:\n    %pip install --quiet \$SOURCE\n", first.source)
