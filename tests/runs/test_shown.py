"""A run as a notebook shows it, and the panel of one that trains."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import ganglion
from ganglion.doctor.verdict import Verdict
from ganglion.notebook.screen import NotebookScreen
from ganglion.pictures.sheets import save_image
from ganglion.platform.screen import Screen
from ganglion.runs.journal import RunJournal
from ganglion.runs.shown import MOST_RECORDS, Panel, Show, View, progress_of


class Cell:
    """The outputs of a cell, each with what it shows now, and a clock."""

    def __init__(self) -> None:
        self.outputs: list[SimpleNamespace] = []
        self.now = 0.0
        self.screen = NotebookScreen(self.new_output, lambda: self.now)

    def new_output(self) -> SimpleNamespace:
        output = SimpleNamespace(html="", plain="", times=0)

        def show(html: str, plain: str) -> None:
            output.html, output.plain, output.times = html, plain, output.times + 1

        output.show = show
        self.outputs.append(output)
        return output


def write(run: Path, **record: float) -> None:
    run.mkdir(exist_ok=True)
    with (run / "vitals.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def test_a_finished_run_shows_verdict_charts_and_its_newest_samples(tiny_run: ganglion.Run) -> None:
    html = tiny_run._repr_html_()
    verdict = ganglion.diagnose(tiny_run)
    for text in (
        verdict.label,
        "recipe dcgan",
        "digits at 16",
        "Samples at step 30",
        "Losses",
        "D AUC",
        "data:image/webp",
    ):
        assert text in html
    assert html.count("<svg") >= 3
    assert len(html) < 150_000


@pytest.mark.parametrize("name", ["nowhere", "<script>alert(1)</script>", "a & b"])
def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    html = ganglion.Run(tmp_path / name)._repr_html_()
    assert "is not a run: it has no recipe.yaml" in html
    assert "<script" not in html


def test_damaged_files_of_a_run_do_not_keep_the_rest_from_being_shown(tiny_run: ganglion.Run, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_run.path, damaged)
    newest = max(damaged.glob("samples/fixed/*.png"))
    newest.write_bytes(b"no image")
    (damaged / "recipe.yaml").write_text("generator: [", encoding="utf-8")
    html = ganglion.Run(damaged)._repr_html_()
    assert "cannot be used" in html or "Losses" in html
    assert "<svg" in html


def test_a_view_reads_only_what_is_new_and_no_line_that_is_incomplete(tmp_path: Path) -> None:
    run, view = tmp_path / "run", View(ganglion.Run(tmp_path / "run"))
    assert view.look().charts == []
    write(run, step=1, kimg=0.1, loss_d=1.0, loss_g=2.0)
    with (run / "vitals.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 2, "kimg"')
    assert [record["kimg"] for record in view.look().records] == [0.1]
    with (run / "vitals.jsonl").open("a", encoding="utf-8") as file:
        file.write(': 0.2, "loss_d": 3.0}\n')
    assert [record["kimg"] for record in view.look().records] == [0.1, 0.2]
    assert [chart.title for chart in view.charts] == ["Losses"]
    assert view.charts[0].lines[0].last == 3.0


def test_of_a_long_run_some_records_are_kept_the_first_and_the_last_among_them(tmp_path: Path) -> None:
    lines = [json.dumps({"step": step, "kimg": step / 10, "loss_d": 1.0}) for step in range(3 * MOST_RECORDS)]
    (tmp_path / "vitals.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    kept = [record["kimg"] for record in View(ganglion.Run(tmp_path)).look().records]
    assert MOST_RECORDS / 2 < len(kept) <= MOST_RECORDS
    assert (kept[0], kept[-1]) == (0, (3 * MOST_RECORDS - 1) / 10)
    assert kept == sorted(kept)


def test_the_newest_sheet_is_shown_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, view = ganglion.Run(tmp_path), View(ganglion.Run(tmp_path))
    save_image(np.zeros((8, 8, 1), np.uint8), run.fixed_samples / "00000010.png")
    assert view.look().sheet.title == "Samples at step 10"
    monkeypatch.setattr("ganglion.runs.shown._sheet", lambda path: pytest.fail(f"{path} was read again"))
    view.look()
    monkeypatch.undo()
    save_image(np.zeros((8, 8, 1), np.uint8), run.fixed_samples / "00000200.png")
    assert view.look().sheet.title == "Samples at step 200"


def test_a_panel_is_replaced_at_most_every_two_seconds(tmp_path: Path) -> None:
    cell = Cell()
    panel = Panel(cell.screen, ganglion.Run(tmp_path), lambda: Verdict("healthy", step=5))
    panel.refresh()
    panel.refresh()
    cell.now = 2.5
    panel.refresh()
    panel.refresh(now=True)
    (output,) = cell.outputs
    assert output.times == 3
    assert output.plain.startswith("Verdict healthy: no findings at step 5")


def test_a_training_in_a_notebook_has_its_status_and_a_panel_also_when_it_ends_in_an_error(tmp_path: Path) -> None:
    cell = Cell()

    def interrupted(journal: RunJournal, show: Show) -> None:
        record = {"step": 1, "kimg": 0.1, "loss_d": 1.0, "loss_g": 1.0, "non_finite": {"step": 1, "tensor": "<b>"}}
        journal.diagnose(record)
        journal.write(record)
        show(0.5, "0.1 kimg")
        write(tmp_path, step=2, kimg=0.2, loss_d=7.0)
        raise KeyboardInterrupt

    journal = RunJournal(tmp_path, 0, cell.screen.say)
    with (
        closing(journal),
        pytest.raises(KeyboardInterrupt),
        progress_of(cell.screen, ganglion.Run(tmp_path), journal) as show,
    ):
        interrupted(journal, show)
    status, panel, log = cell.outputs
    assert status.plain == " 50%  0.1 kimg"
    assert "non-finite" in panel.html
    assert "D 7</span>" in panel.html  # what came after the last look
    assert "non-finite" in log.plain
    assert "<b>&" not in panel.html


def test_elsewhere_a_training_has_the_lines_of_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    with (
        closing(RunJournal(tmp_path, 0, screen.say)) as journal,
        progress_of(screen, ganglion.Run(tmp_path), journal) as show,
    ):
        show(1.0, "0.1 kimg")
    assert capsys.readouterr().err == "100%  0.1 kimg\n"
