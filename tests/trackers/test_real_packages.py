"""The real wandb, MLflow and Trackio, offline, as `ganglion train --log` and a loop of one's own use them.

Each scenario runs in processes of its own, since these packages keep settings, threads and services for a whole process. What
they wrote is read back from their files.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import ganglion
from tiny import TINY, as_options
from wandb_file import history, messages, summary

KEYS = ("loss_d", "separation", "swd")
RECORDS = [0, 5, 10, 15, 20, 25, 30]


class Done(NamedTuple):
    code: int
    said: str


def python(folder: Path, words: list[str], **environment: str) -> Done:
    """Runs Python in `folder`, with the settings of all trackers in it; nothing is sent anywhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "MLFLOW", "TRACKIO"))}
    settings = {
        "GANGLION_CACHE": str(folder / "cache"), "TRACKIO_DIR": str(folder / "trackio"), "HF_HUB_OFFLINE": "1",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1",
        "WANDB_ERROR_REPORTING": "false", "WANDB_CONFIG_DIR": str(folder / "config"), "NETRC": str(folder / "netrc"),
    }  # fmt: skip
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, env=kept | settings | environment, capture_output=True, text=True, timeout=400
    )
    return Done(done.returncode, done.stderr)


def train(folder: Path, *words: str, **environment: str) -> Done:
    command = ["-m", "ganglion.cli.app", "train", "digits", "--recipe", "dcgan", "--size", "16", "--run", "r", "--device",
               "cpu", "--precision", "32", "--no-report", *as_options(TINY), *words]  # fmt: skip
    return python(folder, command, **environment)


class Resumed(NamedTuple):
    folder: Path
    said: list[str]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    """Fifteen steps with wandb, then fifteen more with all three; the others come late, and are given all of it."""
    folder = tmp_path_factory.mktemp("trackers")
    first = train(folder, "--steps", "15", "--log", "wandb")
    second = train(folder, "--steps", "30", "--log", "wandb,mlflow,trackio", "--log-checkpoint")
    assert (first.code, second.code) == (0, 0), first.said + second.said
    return Resumed(folder, [first.said, second.said])


@pytest.fixture(scope="module")
def records(resumed: Resumed) -> dict[int, dict[str, Any]]:
    return {record["step"]: record for record in ganglion.Run(resumed.folder / "r").records()}


def test_each_tracker_is_said_in_a_line_with_where_to_look(resumed):
    first, second = resumed.said
    assert (
        "Weights & Biases: no API key (wandb login), so it is kept offline; to send it: wandb sync wandb/offline"
        in first
    )
    assert "MLflow: run " in second
    assert "mlflow ui --backend-store-uri sqlite:" in second
    assert "Trackio: project ganglion, run r-" in second
    assert not [line for line in second.splitlines() if line.startswith(("wandb: ", "* ", "2026")) or "INFO" in line]


def test_wandb_has_every_record_once_under_one_id_over_both_sessions(resumed, records):
    rows = history(resumed.folder)
    assert sorted(rows) == sorted(records) == RECORDS
    for step, record in records.items():
        assert rows[step].get("samples/swd") == record.get("swd")
        assert rows[step].get("loss/loss_d") == record.get("loss_d")
        assert rows[step]["verdict/severity"] in (0, 1, 2)
    runs = [message.run for message in messages(resumed.folder) if message.WhichOneof("record_type") == "run"]
    assert len(runs) == 2
    assert len({run.run_id for run in runs}) == 1
    known = json.loads((resumed.folder / "r" / "trackers.json").read_text())
    assert known["wandb"]["id"] == runs[0].run_id
    assert (runs[0].project, runs[0].display_name, list(runs[0].tags)) == ("ganglion", "r", ["dcgan"])
    config = {item.key: json.loads(item.value_json) for item in runs[0].config.update}
    assert config["training"]["batch"] == TINY["training.batch"]
    assert config["environment"]["ganglion"] == ganglion.__version__


def test_wandb_has_the_sheets_the_scores_and_the_checkpoint(resumed, records):
    rows, end = history(resumed.folder), summary(resumed.folder)
    sheets = [step for step, row in rows.items() if row.get("samples/fixed/_type") == "image-file"]
    assert sheets == [int(path.stem) for path in sorted((resumed.folder / "r/samples/fixed").glob("*.png"))]
    assert end["best/frechet"] == records[end["best/step"]]["frechet"]
    assert "not done" in end["verdict"]
    kept = [message.artifact for message in messages(resumed.folder) if message.WhichOneof("record_type") == "artifact"]
    assert [(one.name, one.type) for one in kept] == [("r-best", "model")]
    names = {entry.path for entry in kept[0].manifest.contents}
    assert names >= {"recipe.yaml", "checkpoints/best", f"checkpoints/{int(end['best/step']):08d}/ema.safetensors"}


@pytest.fixture(scope="module")
def mlflow_client(resumed: Resumed) -> Any:
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{resumed.folder}/mlflow.db")


@pytest.mark.filterwarnings("default")
def test_mlflow_has_the_whole_run_with_recipe_scores_and_verdict(resumed, records, mlflow_client):
    experiment = mlflow_client.get_experiment_by_name("ganglion")
    (run,) = mlflow_client.search_runs([experiment.experiment_id])
    for key, name in zip(KEYS, ("loss/loss_d", "discriminator/separation", "samples/swd"), strict=True):
        found = {one.step: one.value for one in mlflow_client.get_metric_history(run.info.run_id, name)}
        assert found == {step: record[key] for step, record in records.items() if key in record}
    assert run.data.params["training.batch"] == str(TINY["training.batch"])
    assert (run.info.run_name, run.info.status, run.data.tags["recipe"]) == ("r", "FINISHED", "dcgan")
    assert "not done" in run.data.tags["verdict"]
    assert run.data.metrics["best/frechet"] == records[run.data.metrics["best/step"]]["frechet"]


@pytest.mark.filterwarnings("default")
def test_mlflow_has_the_sheets_and_a_checkpoint_that_loads_as_a_run(resumed, mlflow_client, tmp_path):
    run_id = json.loads((resumed.folder / "r" / "trackers.json").read_text())["mlflow"]["run_id"]
    pictures = [item.path for item in mlflow_client.list_artifacts(run_id, "images") if item.path.endswith(".png")]
    assert len(pictures) == 2 * len(list((resumed.folder / "r/samples/fixed").glob("*.png")))
    copy = mlflow_client.download_artifacts(run_id, "checkpoint", str(tmp_path))
    assert (ganglion.load(copy).sample(4, seed=3) == ganglion.load(resumed.folder / "r").sample(4, seed=3)).all()


def test_trackio_has_the_whole_run_with_its_sheets(resumed, records):
    with sqlite3.connect(resumed.folder / "trackio/ganglion.db") as base:
        rows = base.execute("SELECT step, metrics FROM metrics ORDER BY step").fetchall()
    logged: dict[int, dict[str, Any]] = {}
    for step, content in rows:
        logged.setdefault(step, {}).update(json.loads(content))
    assert set(records) <= set(logged)
    assert all(logged[step].get("samples/swd") == record.get("swd") for step, record in records.items())
    sheets = [step for step, row in logged.items() if "samples/fixed" in row]
    assert sheets == [int(path.stem) for path in sorted((resumed.folder / "r/samples/fixed").glob("*.png"))]
    assert any("best/frechet" in row for row in logged.values())


def test_weights_are_bit_for_bit_those_of_a_run_without_trackers(resumed, tiny_run):
    for name in ("generator", "discriminator", "ema", "optimizers"):
        file = f"checkpoints/00000030/{name}.safetensors"
        assert (resumed.folder / "r" / file).read_bytes() == (tiny_run.path / file).read_bytes()


def test_trackers_that_cannot_be_reached_are_told_once_and_the_run_ends_well(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    done = train(
        tmp_path, "--steps", "12", "--log", "wandb,mlflow", MLFLOW_TRACKING_URI="http://127.0.0.1:9",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY="a" * 40,
    )  # fmt: skip
    assert done.code == 0, done.said
    assert "Traceback" not in done.said
    told = [line for line in done.said.splitlines() if line.startswith(("mlflow: ", "Weights & Biases: "))]
    assert "so it is kept offline; to send it: wandb sync wandb/offline-run-" in "\n".join(told)
    assert len([line for line in told if "the training goes on, and what mlflow lacks" in line]) == 1
    assert "Finished: " in done.said


OWN_RUNS = """
import torch, mlflow, wandb, trackio, ganglion
mlflow.set_experiment("mine")
mine = mlflow.start_run(run_name="my own")
own = wandb.init(project="mine", name="my own", mode="offline", settings=wandb.Settings(silent=True))
trackio.init("mine", "my own", embed=False)
G = torch.nn.Sequential(torch.nn.Linear(4, 12), torch.nn.Tanh(), torch.nn.Unflatten(1, (3, 2, 2)))
D = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 1))
g, d = torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())
with ganglion.watch(G, D, g, d, every=5, log="wandb,mlflow,trackio"):
    for step in range(20):
        real, fake = torch.rand(8, 3, 2, 2), G(torch.randn(8, 4))
        loss_d = torch.nn.functional.softplus(D(fake.detach())).mean() + torch.nn.functional.softplus(-D(real)).mean()
        d.zero_grad(); loss_d.backward(); d.step()
        loss_g = torch.nn.functional.softplus(-D(fake)).mean()
        g.zero_grad(); loss_g.backward(); g.step()
        wandb.log({"mine": loss_g.item()}, step=step)
        mlflow.log_metric("mine", loss_g.item(), step=step)
        trackio.log({"mine": loss_g.item()}, step=step)
assert mlflow.active_run().info.run_id == mine.info.run_id
assert wandb.run is own
wandb.log({"after": 1.0}); trackio.log({"after": 1.0}); mlflow.log_metric("after", 1.0)
trackio.finish(); wandb.finish(); mlflow.end_run()
"""


@pytest.mark.filterwarnings("default")
def test_watch_logs_beside_the_callers_own_numbers_in_the_callers_own_runs(tmp_path):
    import mlflow

    done = python(tmp_path, ["-c", OWN_RUNS])
    assert done.code == 0, done.said
    rows = history(tmp_path)
    assert [row["mine"] for row in rows.values() if "mine" in row] != []
    assert sum("mine" in row for row in rows.values()) == 20
    assert [row["ganglion/step"] for row in rows.values() if "ganglion/samples/swd" in row][-1] == 20
    assert any("after" in row for row in rows.values())
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    seen = [one.step for one in client.get_metric_history(run.info.run_id, "ganglion/samples/swd")]
    assert seen == [0, 1, 5, 10, 15, 20]
    assert run.data.metrics["after"] == 1.0
    with sqlite3.connect(tmp_path / "trackio/mine.db") as base:
        content = [json.loads(text) for (text,) in base.execute("SELECT metrics FROM metrics")]
    assert sum("mine" in row for row in content) == 20
    assert sum("ganglion/samples/swd" in row for row in content) == 6


FINDINGS = """
import sys
from ganglion.doctor.examine import FindingEvent, examine
from ganglion.doctor.verdict import Verdict
from ganglion.trackers.content import RunFacts
from ganglion.trackers.trackers import Trackers
from made_records import SICK
finding = examine(SICK["mode-collapse"]).findings[0]
given = Trackers(["wandb", "mlflow", "trackio"], RunFacts("sick [run]"), lambda text: print(text, file=sys.stderr))
given.finding(FindingEvent(True, 7, finding))
given.record({"step": 7, "loss_d": 1.0}, Verdict("failing"))
given.close("failed", [], "failing")
"""


@pytest.mark.filterwarnings("default")
def test_a_finding_is_an_alert_a_table_and_a_description_with_its_remedy(tmp_path):
    import mlflow

    tests = str(Path(__file__).parents[1])
    done = python(tmp_path, ["-c", f"import sys; sys.path.insert(0, {tests!r})\n{FINDINGS}"])
    assert done.code == 0, done.said
    (alert,) = [message.alert for message in messages(tmp_path) if message.WhichOneof("record_type") == "alert"]
    assert (alert.title, alert.level) == ("mode-collapse (failing)", "ERROR")
    assert "images of a batch" in alert.text
    assert history(tmp_path)[7]["verdict/severity"] == 2
    assert history(tmp_path)[7]["verdict/findings_table/nrows"] == 1
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("ganglion").experiment_id])
    assert (run.info.status, run.data.tags["findings"]) == ("FAILED", "mode-collapse (failing)")
    assert "### mode-collapse (failing, since step" in run.data.tags["mlflow.note.content"]
    with sqlite3.connect(tmp_path / "trackio/ganglion.db") as base:
        assert base.execute("SELECT title, level, step FROM alerts").fetchall() == [
            ("mode-collapse (failing)", "error", 7)
        ]
