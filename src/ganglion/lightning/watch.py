"""`Watch`, a callback that watches a GAN while PyTorch Lightning trains it. The training itself is not changed.

It works with `pytorch_lightning` and with `lightning.pytorch`, whichever of them is imported or installed.
"""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ganglion.doctor.verdict import Verdict
from ganglion.lightning.players import find_players
from ganglion.watching.account import first_line
from ganglion.watching.monitor import DEFAULT_EVERY, Monitor, watch

__all__ = ["Watch"]

PACKAGES = ("pytorch_lightning", "lightning.pytorch")
STATES = {"healthy": 0, "watch": 1, "failing": 2}
"""The verdict as the number that is logged; an unknown verdict is not logged."""
NOT_LOGGED = ("step", "seconds")


def callback_classes() -> list[Any]:
    """`Callback` of the packages that are imported already, or else of the first that is installed. Raises ImportError."""
    loaded = [name for name in PACKAGES if name in sys.modules]
    for name in loaded or PACKAGES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        return [module.Callback, *(sys.modules[other].Callback for other in loaded if other != name)]
    raise ImportError(
        "ganglion.lightning needs PyTorch Lightning, which is not installed: pip install 'ganglion[lightning]'"
    )


if TYPE_CHECKING:
    from pytorch_lightning import Callback
else:
    Callback = type("Callback", tuple(callback_classes()), {})


class Watch(Callback):  # type: ignore[misc]
    """Watches the GAN in a LightningModule, with manual or automatic optimisation, and diagnoses its training.

    `generator` and `discriminator` name parts of the module, such as "model.netG"; None: found by usual names (generator, netG,
    G, gen; discriminator, netD, D, disc, critic, and so on), or for one of them by the optimiser of its weights. ValueError
    says what is not clear. `every` and `out`: as in `ganglion.watch`. The vitals and the verdict go to the trainer's loggers
    under `prefix`; findings are printed, or given to `say`. `stop_when_failing`: the training ends when the verdict is
    failing. A checkpoint of Lightning holds the records so far; a training that goes on from it goes on with them.
    """

    def __init__(
        self,
        generator: str | None = None,
        discriminator: str | None = None,
        *,
        every: int = DEFAULT_EVERY,
        out: str | Path | None = None,
        stop_when_failing: bool = False,
        prefix: str = "ganglion/",
        say: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be a number of steps of at least 1; got {every}")
        self.monitor: Monitor | None = None
        """The monitor of `ganglion.watch`, from the start of the training on."""
        self._names, self._every, self._out = (generator, discriminator), every, out
        self._stops, self._prefix, self._say = stop_when_failing, prefix, say
        self._state: dict[str, Any] = {}
        self._watched: Callable[[], Any] = lambda: None
        self._logged = self._batches = 0
        self._codes: set[str] = set()
        self._logs = True

    def verdict(self) -> Verdict:
        """The doctor's verdict on the training so far, also after its end."""
        if self.monitor is None:
            return Verdict("unknown", unseen=["anything: the training has not started"], own_run=False)
        return self.monitor.verdict()

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Step, number of images and records, which Lightning keeps in its checkpoint."""
        return self._state if self.monitor is None else self.monitor.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint, before the training goes on."""
        self._state, self.monitor = state_dict, None

    # The training

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Finds the networks and starts to watch. Raises ValueError where it is not clear which they are."""
        players = find_players(pl_module, trainer.optimizers, *self._names)
        again = self.monitor is not None and self._watched() is pl_module  # a second call of trainer.fit
        state = self.state_dict() if again or self.monitor is None else {}
        say = self._say or (lambda text: pl_module.print(text))
        told = say if trainer.is_global_zero else (lambda text: None)
        self.monitor = watch(*players, every=self._every, out=self._out, say=told)
        if state:
            self.monitor.load_state_dict(state)
        self._logged, self._state, self._watched = len(self.monitor.records), {}, weakref.ref(pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Logs records that are new, and stops a training that fails if that is wanted."""
        if self.monitor is None:
            return
        self._batches += 1
        fresh = self.monitor.records[self._logged :]
        if fresh:
            self._logged += len(fresh)
            self._log(trainer, fresh[-1])
        if self._stops and self._is_time_to_ask(trainer, bool(fresh)):
            self._stop_if_failing(trainer, pl_module)

    def on_train_end(self, *_: Any) -> None:
        """Ends the watching; `verdict()` can still be asked for."""
        self._close()

    def on_exception(self, *_: Any) -> None:
        """Likewise, where the training was interrupted or ended in an error."""
        self._close()

    def _close(self) -> None:
        if self.monitor is not None:
            self.monitor.close()

    # Loggers

    def _log(self, trainer: Any, record: dict[str, Any]) -> None:
        """Errors of a logger end the logging, which is said; the training goes on."""
        if not self._logs or not trainer.is_global_zero or self.monitor is None:
            return
        verdict = self.monitor.verdict()
        numbers = {f"{self._prefix}{name}": value for name, value in self._numbers(record, verdict)}
        try:
            for logger in trainer.loggers:
                logger.log_metrics(numbers, step=_step_of(trainer))
        except Exception as error:
            self._logs = False
            text = f"ganglion: the logger failed ({first_line(error)}); the training goes on, and vitals are no longer logged"
            (self._say or trainer.lightning_module.print)(text)

    def _numbers(self, record: dict[str, Any], verdict: Verdict) -> Iterator[tuple[str, float]]:
        """The numbers of a record; the verdict; each finding, 1 watch and 2 failing, and 0 once it is cleared."""
        for name, value in record.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and name not in NOT_LOGGED:
                yield name, float(value)
        if verdict.state in STATES:
            yield "verdict", STATES[verdict.state]
        now = {finding.code: STATES[finding.severity] for finding in verdict.findings}
        self._codes |= set(now)
        for code in sorted(self._codes):
            yield f"finding/{code}", now.get(code, 0)

    # Stopping

    def _is_time_to_ask(self, trainer: Any, has_record: bool) -> bool:
        """Several processes ask at the same batches, whenever each of them made its records."""
        return has_record if trainer.world_size == 1 else self._batches % self._every == 0

    def _stop_if_failing(self, trainer: Any, pl_module: Any) -> None:
        verdict = self.verdict()
        if trainer.strategy.reduce_boolean_decision(verdict.state == "failing", all=False) and not trainer.should_stop:
            trainer.should_stop = True
            codes = ", ".join(finding.code for finding in verdict.findings if finding.severity == "failing")
            (self._say or pl_module.print)(f"ganglion: the training is stopped, the verdict is failing: {codes}")


def _step_of(trainer: Any) -> int:
    """The step that Lightning gives to loggers for what a module logs, so that all curves share one axis."""
    loop = getattr(trainer.fit_loop, "epoch_loop", None)
    return cast(int, getattr(loop, "_batches_that_stepped", trainer.global_step))
