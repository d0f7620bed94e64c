"""Which tensors of a trained network another network can take over: layers whose names and shapes agree, with blocks in a
row aligned and classes matched by name. It knows tensors, neither runs nor recipes.

A layer is a module's own tensors (weight, bias, running statistics, the vectors of spectral norm). It is taken over as one,
or not at all: a bias or a running mean is of no use beside other weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganglion.networks.base import Generator
from ganglion.networks.layers import Normalise

__all__ = ["Alignment", "ClassRows", "Pieces", "filled", "match", "part_of", "weights_taken"]


BLOCK = re.compile(r"blocks\.(\d+)\.(.*)")
EMBEDDING, INPUT, REFERENCE_LABELS = "embedding.weight", "stem.linear.weight", "reference_labels"


@dataclass(frozen=True)
class ClassRows:
    """Classes of both networks, by name: class i of `new` is class j of `old`."""

    same: bool
    """Whether both have the same classes in the same order, or none."""
    count: int
    """Classes of the new network."""
    new: list[int]
    old: list[int]

    @classmethod
    def of(cls, new: tuple[str, ...], old: tuple[str, ...]) -> ClassRows:
        shared = [name for name in new if name in old]
        return cls(new == old, len(new), [new.index(name) for name in shared], [old.index(name) for name in shared])


class Piece(NamedTuple):
    """What a tensor takes over from the tensor `old`: all of it, the rows of shared classes, or the first columns."""

    old: str
    classes: ClassRows | None = None
    columns: int | None = None

    @property
    def whole(self) -> bool:
        return self.classes is None and self.columns is None

    def numbers(self, new: Tensor, old: Tensor) -> int:
        """Numbers taken over."""
        if self.classes is not None:
            return len(self.classes.new) * (old.numel() // len(old))
        return new.numel() if self.columns is None else len(new) * self.columns

    def put(self, new: Tensor, old: Tensor) -> None:
        """Writes them into `new`. A class vector that grew longer is continued with zeros, so that it means the same."""
        if self.columns is not None:
            new[:, : self.columns] = old[:, : self.columns]
        elif self.classes is None:
            new.copy_(old)
        elif new.dim() == 1:
            new[self.classes.new] = old[self.classes.old]
        else:
            new[self.classes.new] = 0
            new[self.classes.new, : old.shape[1]] = old[self.classes.old]


Pieces = Mapping[str, Piece]
"""By the new tensor's name."""


@dataclass(frozen=True)
class Alignment:
    """Which of the old network's `old` blocks each of the `new` blocks is.

    Up to `place` both count from the first block on, after it from the last one back; what is in between only one has.
    """

    new: int
    old: int
    place: int

    def name_in_old(self, name: str) -> str | None:
        """The old name of a tensor; None in a block that the old network lacks."""
        if not (block := BLOCK.fullmatch(name)):
            return name
        number, more = int(block[1]), self.new - self.old
        if number >= self.place:
            if number < self.place + more:
                return None
            number -= more
        return f"blocks.{number}.{block[2]}"

    def text(self) -> str:
        """`one block more: blocks.2 is new`; empty where both networks have as many."""
        more = self.new - self.old
        if not more:
            return ""
        names = [f"blocks.{number}" for number in range(self.place, self.place + abs(more))]
        which = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        are = "is" if len(names) == 1 else "are"
        many = f"{abs(more)} block{'s' if abs(more) > 1 else ''} {'more' if more > 0 else 'fewer'}"
        return f"{many}: {which} {are} new" if more > 0 else f"{many}: its {which} {are} left out"


def match(
    network: nn.Module, old: Mapping[str, Tensor], classes: ClassRows, latent_dims: tuple[int, int] = (0, 0)
) -> tuple[Pieces, Alignment]:
    """What `network` can take over from `old`, aligned where that is the most weights. `latent_dims`: its own, the old one's.

    Of equally good places a new block stands at the one nearest to the image: the others keep their resolution.
    """
    sizes = _blocks(network.state_dict()), _blocks(old)
    places = list(range(min(sizes) + 1)) if sizes[0] != sizes[1] else [0]
    if isinstance(network, Generator):
        places.reverse()  # its last block is the one at the image
    found = [(_pieces(network, old, Alignment(*sizes, place), classes, latent_dims), place) for place in places]
    pieces, place = max(found, key=lambda each: weights_taken(network, old, each[0]))  # the first of equals
    return pieces, Alignment(*sizes, place)


def weights_taken(network: nn.Module, old: Mapping[str, Tensor], pieces: Pieces) -> int:
    """How many of the network's weights are taken over; statistics do not count."""
    weights = dict(network.named_parameters())
    return sum(piece.numbers(weights[name], old[piece.old]) for name, piece in pieces.items() if name in weights)


@torch.no_grad()
def filled(own: Mapping[str, Tensor], old: Mapping[str, Tensor], pieces: Pieces) -> dict[str, Tensor]:
    """The tensors `own` with what they take over from `old`; nothing given is changed."""
    tensors = {name: tensor.detach().clone() for name, tensor in own.items()}
    for name, piece in pieces.items():
        piece.put(tensors[name], old[piece.old])
    return tensors


def part_of(name: str) -> str:
    """The part of a network that a tensor belongs to: `blocks.3`, `stem`, `head`."""
    block = BLOCK.fullmatch(name)
    return f"blocks.{block[1]}" if block else name.partition(".")[0]


def _blocks(tensors: Mapping[str, Tensor]) -> int:
    """How many blocks there are, up to the last one that has tensors."""
    return max((int(block[1]) + 1 for name in tensors if (block := BLOCK.fullmatch(name))), default=0)


def _pieces(
    network: nn.Module,
    old: Mapping[str, Tensor],
    alignment: Alignment,
    classes: ClassRows,
    latent_dims: tuple[int, int],
) -> dict[str, Piece]:
    by_class, own = set(_by_class(network, classes.count)), network.state_dict()
    latent = latent_dims[0] if isinstance(network, Generator) and latent_dims[0] == latent_dims[1] else None
    layers: dict[str, list[str]] = {}
    for name in own:
        layers.setdefault(_layer_of(name), []).append(name)
    taken: dict[str, Piece] = {}
    for names in layers.values():
        pieces: dict[str, Piece | None] = {}
        for name in names:
            was = alignment.name_in_old(name)
            if was is not None and was in old:
                pieces[name] = _piece(name, own[name], was, old[was], classes if name in by_class else None, latent)
        complete = all(name in pieces for name in names if own[name].dim() > 1)
        fitting = {name: piece for name, piece in pieces.items() if piece}
        if complete and len(fitting) == len(pieces):
            taken |= _with_labels_of_the_same_classes(fitting, classes)
    return taken


def _piece(name: str, new: Tensor, was: str, old: Tensor, rows: ClassRows | None, latent: int | None) -> Piece | None:
    """What of one tensor fits; `rows` for one with a row a class, `latent` where the stem's input may have grown."""
    if rows is not None and not rows.same:
        longer = name == EMBEDDING and latent is not None and old.shape[1] <= new.shape[1]
        return Piece(was, classes=rows) if rows.new and (old.shape[1:] == new.shape[1:] or longer) else None
    if new.shape == old.shape:
        return Piece(was)
    if name == INPUT and latent is not None and len(new) == len(old):
        kept = old.shape[1] if old.shape[1] <= new.shape[1] else latent  # z, and the class vector where it grew
        return Piece(was, columns=kept)
    return None


def _with_labels_of_the_same_classes(pieces: Mapping[str, Piece], classes: ClassRows) -> dict[str, Piece]:
    """A reference batch's labels are numbers of classes: of other classes they mean nothing."""
    return {name: piece for name, piece in pieces.items() if classes.same or name != REFERENCE_LABELS}


def _layer_of(name: str) -> str:
    """The module that a tensor belongs to, with its parametrisation; a tensor of the network itself is one of its own."""
    owner = name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]
    return owner or name


def _by_class(network: nn.Module, classes: int) -> Iterator[str]:
    """Names of the tensors with a row for each class: class vectors, and scales and shifts of conditional normalisation."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding) and module.num_embeddings == classes:
            yield f"{name}.weight"
            yield f"{name}.parametrizations.weight.original"
            yield f"{name}.parametrizations.weight.0._u"
        elif isinstance(module, Normalise) and module.scale is not None:
            yield f"{name}.scale"
            yield f"{name}.shift"
