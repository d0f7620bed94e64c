"""`--map d_loss=critic,g_loss=gen,step=it`: the user's names for what a log calls otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.meaning import KEYS
from ganglion.doctor.readers.names import COUNTER_KINDS
from ganglion.errors import DataError

__all__ = ["check_names", "parse_map"]


OTHER_WORDS = {"d_loss": "loss_d", "g_loss": "loss_g", "d": "loss_d", "g": "loss_g", "gp": "loss_d_wgan_gp", "r1": "loss_d_r1",
               "iter": "step", "iteration": "step", "it": "step",
               "wasserstein": "earth_mover", "accuracy": "accuracy_d"}  # fmt: skip
"""Names that are taken for a key of ours on the left of `=`."""


def parse_map(text: str) -> dict[str, str]:
    """Names in the log by our keys. Raises DataError."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        left, equals, right = part.partition("=")
        key = OTHER_WORDS.get(left.strip().lower(), left.strip().lower())
        if (
            not equals
            or not right.strip()
            or not (key in KEYS or key in COUNTER_KINDS or key.startswith(("loss_g_", "loss_d_")))
        ):
            raise DataError(
                f"--map expects pairs such as d_loss=critic,g_loss=gen,step=it; got {part!r}. On the left may stand "
                f"{', '.join([*sorted(COUNTER_KINDS), *KEYS])}"
            )
        found[key] = right.strip()
    return found


def check_names(chosen: Mapping[str, str], rows: Rows) -> None:
    """Raises DataError where the log has no column of a name."""
    labels = [column.place.label for column in rows.columns if not column.place.total]
    known = {label.lower() for label in labels} | {column.place.name.lower() for column in rows.columns}
    for key, name in chosen.items():
        if name.lower() not in known:
            raise DataError(f"--map {key}={name}: the log has no {name!r}; it has {names_text(labels)}")


def names_text(labels: Sequence[str], most: int = 30) -> str:
    """The names in a sentence."""
    unique = list(dict.fromkeys(labels))
    more = f" and {len(unique) - most} more" if len(unique) > most else ""
    return (", ".join(unique[:most]) + more) if unique else "no numbers at all"
