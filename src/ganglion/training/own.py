"""User-supplied parts of a training: networks, an adversarial loss, a callback."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from ganglion.errors import RecipeError, RunError
from ganglion.latent.model import Model
from ganglion.networks.custom import CustomNetworks, from_file, from_modules
from ganglion.objectives.adversarial import AdversarialLoss
from ganglion.recipe.resolve import Request, parse_assignments
from ganglion.recipe.schema import Recipe
from ganglion.vitals.records import Record

__all__ = ["STOPPED_BY_CALLBACK", "Callback", "Own"]

Callback = Callable[[Record, Model], Literal["stop"] | None]
"""(record as in vitals.jsonl, the averaged generator) to "stop", or to None to go on."""

STOPPED_BY_CALLBACK = "the callback returned stop"


@dataclass(frozen=True)
class Own:
    """Each may be None; the recipe then decides."""

    networks: CustomNetworks | None = None
    adversarial: AdversarialLoss | None = None
    callback: Callback | None = None

    @classmethod
    def given(
        cls, generator: nn.Module | None = None, discriminator: nn.Module | None = None, networks: Path | None = None,
        adversarial: AdversarialLoss | None = None, callback: Callback | None = None,
    ) -> Own:  # fmt: skip
        """From the keywords of `ganglion.train`. Raises RecipeError for what they cannot be."""
        found = None
        if networks is not None:
            if generator is not None or discriminator is not None:
                raise RecipeError("networks come from a file or as modules; got both: leave one out")
            found = from_file(networks)
        elif generator is not None or discriminator is not None:
            found = from_modules(generator, discriminator)
        if adversarial is not None and not isinstance(adversarial, AdversarialLoss):
            raise RecipeError(
                f"adversarial= takes a ganglion.AdversarialLoss; got {type(adversarial).__name__}. A loss of Ganglion's is "
                'chosen by its name: set={"objective.adversarial": "hinge"}'
            )
        if callback is not None and not callable(callback):
            raise RecipeError(f"callback= takes a function of (record, model); got {type(callback).__name__}")
        return cls(found, adversarial, callback)

    def requested(self, request: Request) -> Request:
        """`request` with the recipe keys that record these parts."""
        keys = self.networks.keys() if self.networks else {}
        if self.adversarial is not None:
            keys |= {
                "objective.adversarial": "custom",
                "objective.custom_loss": self.adversarial.traits.model_dump(),
            }
        if not keys:
            return request
        extra = request.get("set", ())
        given: dict[str, Any] = dict(extra) if isinstance(extra, Mapping) else parse_assignments(extra)
        return {**request, "set": given | keys}

    def check_complete(self, recipe: Recipe) -> None:
        """Raises RecipeError where `recipe` names a loss or networks that are not here."""
        if recipe.objective.adversarial == "custom" and self.adversarial is None:
            raise RecipeError("objective.adversarial is custom: pass the loss, ganglion.train(adversarial=...)")
        if recipe.generator.family == "custom" and self.networks is None:
            raise RecipeError(
                "generator.family is custom: name the file with --networks FILE.py, or pass generator= and discriminator= to "
                "ganglion.train"
            )

    def check_same(self, before: Recipe, run: Path) -> None:
        """Raises RunError where the run that began with `before` had others, each in one sentence."""
        loss = before.objective.custom_loss
        if loss is not None and self.adversarial is None:
            raise RunError(
                f"{run} was trained with a loss of your own ({loss.name}), which it does not keep: pass it again with "
                "adversarial="
            )
        if before.generator.family != "custom" or before.discriminator.family != "custom":
            return
        if self.networks is None:
            how = "--networks FILE.py" if before.generator.file else "generator= and discriminator="
            raise RunError(f"{run} was trained on networks of your own: give them again with {how}")
        began = before.generator.digest, before.discriminator.digest
        if before.generator.file != (self.networks.modules is None) or began != self.networks.digests:
            what = "the file of networks" if before.generator.file else "the networks"
            raise RunError(
                f"{run} was trained on other networks: {what} changed since; start over with --fresh (fresh=True), or name "
                "another run"
            )

    def check_many(self, devices: int) -> None:
        """Raises RunError where several processes are asked for and something cannot be sent to them."""
        for name, thing in (("generator= and discriminator=", self.networks), ("adversarial=", self.adversarial),
                            ("callback=", self.callback)):  # fmt: skip
            try:
                if devices > 1:
                    pickle.dumps(thing)
            except Exception as error:  # whatever a foreign object raises
                raise RunError(
                    f"with {devices} devices each process gets a copy, and {name} cannot be pickled ({error}): define "
                    "functions and classes at the top of a module, without lambda"
                ) from error
