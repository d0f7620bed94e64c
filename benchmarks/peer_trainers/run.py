"""Runs one trainer in this process for its CPU seconds, with samples at marks. Called by benchmarks/peers.py.

python benchmarks/peer_trainers/run.py TRAINER --images FOLDER --size 32 --channels 1 --marks 30 60 120 --out FOLDER
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from peer_trainers.job import OURS, Job  # noqa: E402
from peer_trainers.meter import Meter, TimeIsUp  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainer")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--channels", type=int, required=True)
    parser.add_argument("--marks", type=float, nargs="+", required=True, help="CPU seconds; the last is the budget")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # deprecations in old packages
    torch.set_num_threads(1)
    torch.manual_seed(asked.seed)
    random.seed(asked.seed)
    np.random.seed(asked.seed)  # noqa: NPY002 (peers draw from it)
    meter = Meter(asked.marks, asked.samples, asked.out)
    with tempfile.TemporaryDirectory(dir=asked.out) as work:
        run(asked.trainer, Job(asked.images, asked.size, asked.channels, asked.seed, Path(work)), meter)


def run(trainer: str, job: Job, meter: Meter) -> None:
    if trainer in OURS:
        from peer_trainers.ours import train_ours

        train_ours(trainer, job, meter)
    else:
        sys.path.insert(0, str(HERE / "stand_in"))
        from peer_trainers.example import train_example
        from peer_trainers.packages import PACKAGES

        with suppress(TimeIsUp):
            (PACKAGES | {"dcgan-example": train_example})[trainer](job, meter)
    meter.finish()


if __name__ == "__main__":
    main()
