r"""Captured console output, in the formats that people have.

[0/25][3/782] Loss_D: 0.63 Loss_G: 3.1 D(x): 0.7 D(G(z)): 0.2 / 0.1          the DCGAN tutorial
[Epoch 0/200] [Batch 3/938] [D loss: 0.63] [G loss: 0.71]                    PyTorch-GAN and its many children
938/938 [====] - 5s 5ms/step - d_loss: 0.63 - g_loss: 0.71                   Keras 2
938/938 ━━━━━━━━━━ 5s 5ms/step - d_loss: 0.63 - g_loss: 0.71                 Keras 3
938/938 - 5s - 5ms/step - d_loss: 0.63 - g_loss: 0.71                        Keras with verbose=2
Epoch 0: 100%|##| 938/938 [00:10<00:00, v_num=0, g_loss=0.71, d_loss=0.63]   Lightning, tqdm
step 1200: d loss = 0.63, g loss = 0.71                                      and whatever names its numbers
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ganglion.doctor.readers.names import ALIASES, key_of, record_of
from ganglion.doctor.readers.series import in_order

__all__ = ["read_console"]

NUMBER = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|nan|inf(?:inity)?)"
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
PAIR = re.compile(
    rf"([a-z][\w()./]*(?: [a-z][\w()./]*){{0,2}})\s*(?:[:=]\s*|\s)({NUMBER})(?![\w/%])(?:\s*/\s*({NUMBER}))?", re.I
)
TWO_COUNTS = re.compile(r"\[\s*(\d+)\s*/\s*(\d+)\s*\]\s*\[\s*(\d+)\s*/\s*(\d+)\s*\]")
NAMED_COUNTS = re.compile(
    r"epoch[ :]*\[?\s*(\d+)\s*(?:/\s*(\d+))?\s*\]?.*?(?:batch|step|iter\w*)[ :]*\[?\s*(\d+)\s*/\s*(\d+)", re.I
)
EPOCH = re.compile(r"epoch[ :\[]*(\d+)", re.I)
PROGRESS = re.compile(r"(\d+)\s*/\s*(\d+)\s*(?:\[|━| - \d+m?s)")
MEASURED = {key for key in ALIASES if key not in ("step", "epoch", "kimg", "lr_g", "lr_d")}


def read_console(text: str) -> list[dict[str, Any]]:
    """Records of all lines that tell a loss or what D believes; none where no line does."""
    return in_order(_rows(ANSI.sub("", text)))


def _rows(text: str) -> Iterator[dict[str, Any]]:
    epoch = 0
    for line in re.split(r"[\r\n]+", text):
        if found := EPOCH.search(line):
            epoch = int(found[1])
        row = record_of(_pairs(line))
        if row.keys() & MEASURED or "non_finite" in row:
            step = _step(line, epoch)
            yield row | ({} if step is None or "step" in row else {"step": step})


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Names and numbers. A name may have words before it that belong to something else."""
    for found in PAIR.finditer(line):
        words = found[1].split(" ")
        names = [" ".join(words[first:]) for first in range(len(words))]
        yield next((name for name in names if key_of(name) in ALIASES), found[1]), found[2]


def _step(line: str, epoch: int) -> int | None:
    """Steps since the beginning, where a line counts epochs and batches."""
    if found := TWO_COUNTS.search(line):
        return int(found[1]) * int(found[4]) + int(found[3])
    if found := NAMED_COUNTS.search(line):
        return int(found[1]) * int(found[4]) + int(found[3])
    if found := PROGRESS.search(line):
        return epoch * int(found[2]) + int(found[1])
    return None
