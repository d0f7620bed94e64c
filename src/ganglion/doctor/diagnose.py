"""`ganglion.diagnose`: a verdict from the logs of any training, ours or another program's."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ganglion.doctor.examine import examine
from ganglion.doctor.findings import RULES
from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.mapping import check_names, names_text, parse_map
from ganglion.doctor.readers.own import own_log
from ganglion.doctor.readers.records import Log, Options, interpreted, thinned
from ganglion.doctor.readers.run_folder import setup_of
from ganglion.doctor.readers.sources import read_file, read_folder
from ganglion.doctor.readers.treatments import treated
from ganglion.doctor.verdict import Finding, Verdict
from ganglion.errors import DataError

__all__ = ["STANDARD_INPUT", "diagnose", "log_of", "log_of_rows", "read_log", "read_source", "verdict_of"]


STANDARD_INPUT = "-"
COUNTED = {"step", "kimg", "unit", "lr_g", "lr_d"}
FORMATS = "console output, CSV, JSON, JSON lines, a notebook, TensorBoard events, or a folder of them"


def diagnose(
    path: str | PathLike[str],
    *,
    map: str | dict[str, str] = "",  # noqa: A002
    batch: int | None = None,
    images_per_epoch: int | None = None,
    run: int | None = None,
) -> Verdict:
    """The verdict on a run or a watched run, a folder of TensorBoard events, a table, JSON, a notebook, or console output.

    `path` "-" is standard input. `map` names columns of the log that are called otherwise than is usual, as
    "d_loss=critic,g_loss=gen,step=it"; `batch` is the number of images in a batch, `images_per_epoch` that of an epoch;
    `run` chooses one of several runs in a log, from 1 (None: the newest). `verdict.understood` tells how the log was read.

    Raises DataError where the path does not exist or holds no measurements of a GAN's training.
    """
    chosen = parse_map(map) if isinstance(map, str) else parse_map(",".join(f"{k}={v}" for k, v in map.items()))
    where = fspath(path)
    log = log_of(where, Options(chosen, batch, images_per_epoch, run))
    return verdict_of(log, None if where == STANDARD_INPUT else Path(where))


def verdict_of(log: Log, folder: Path | None = None) -> Verdict:
    """The verdict on a log; on one of several pairs of networks the worst, with the findings of all.

    `folder`, where it is that of a run of `ganglion train`, says how it was started.
    """
    own_run = folder is not None and (folder / "recipe.yaml").is_file()
    setup = setup_of(folder) if folder is not None and own_run else None
    records = log.records if log.understood.is_ours else thinned(log.records)
    verdict = examine(records, own_run, objective=log.objective.name, setup=setup)
    for letter, records in log.pairs.items():
        other = examine(thinned(records), own_run, objective=log.objective.name)
        findings = [*verdict.findings, *(_of_pair(finding, letter) for finding in other.findings)]
        order = list(RULES)
        findings.sort(key=lambda f: (f.because_of is not None, f.severity != "failing", order.index(f.code)))
        states = [verdict.state, other.state]
        worst = next((state for state in ("failing", "watch", "unknown") if state in states), verdict.state)
        verdict = replace(verdict, state=worst, findings=findings, chance=None)  # each pair has its own
    told = treated(folder) if folder is not None and own_run else []
    return replace(verdict, understood=log.understood, unit=log.unit, treated=told)


def _of_pair(finding: Finding, letter: str) -> Finding:
    return replace(finding, why=f"In pair {letter} of the networks: {finding.why}")


def read_log(path: str | PathLike[str], options: Options = Options()) -> list[dict[str, Any]]:  # noqa: B008
    """Records of any log by our keys, in order of their steps. Raises DataError."""
    return log_of(path, options).records


def log_of(path: str | PathLike[str], options: Options = Options()) -> Log:  # noqa: B008
    """Records of any log, and how it was read. Raises DataError."""
    where = None if fspath(path) == STANDARD_INPUT else Path(path)
    if where is not None and not where.exists():
        raise DataError(f"{where}: there is no such file or folder")
    if where is not None and (own := own_log(where)) is not None:
        if options != Options():
            raise DataError(
                f"{where} holds records of Ganglion, which name and count everything: leave --map, --batch, --images-per-epoch "
                "and --run out"
            )
        return own
    return log_of_rows(read_source(where, options), "standard input" if where is None else str(where), options)


def read_source(where: Path | None, options: Options, growing: bool = False) -> Rows:
    """Rows of a file, a folder, or of standard input for None. Of a growing file an unfinished last line is not read."""
    if where is not None and where.is_dir():
        return read_folder(where, options.run, _keys_of)
    return read_file(where, options.run, growing)


def log_of_rows(rows: Rows, name: str, options: Options) -> Log:
    """Records of rows. Raises DataError where they hold none of a GAN, or not what the options name."""
    check_names(options.map, rows)
    log = interpreted(rows, options)
    runs = max(log.understood.counting["runs"], 1)
    if options.run is not None and not 1 <= options.run <= runs and not rows.kind.startswith("TensorBoard events"):
        raise DataError(
            f"there is no run {options.run} in {name}: it holds {runs}; give --run a number from 1 to {runs}"
        )
    if not any(record.keys() - COUNTED for record in log.records):
        raise DataError(_refusal(name, rows))
    return log


def _keys_of(rows: Rows) -> dict[str, int]:
    """What rows hold of a GAN's measurements: columns by our keys."""
    return interpreted(rows).keys


def _refusal(name: str, rows: Rows) -> str:
    labels = [column.place.label for column in rows.columns if not column.place.total]
    if not labels:
        return (
            f"{name} has no measurements of a GAN's training: no numbers with names were found. Expected numbers such as "
            f"loss_d and loss_g in {FORMATS} (docs/diagnose.md lists the formats)"
        )
    return (
        f"{name} has no measurements of a GAN's training: expected numbers such as loss_d and loss_g; found "
        f"{names_text(labels, 15)}. Name them with --map d_loss=NAME,g_loss=NAME (docs/diagnose.md lists the formats)"
    )
