"""The monitor itself: what it leaves alone, what it says, what ends a measurement, and what users can tell it."""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import optimizer as optimizers

import ganglion
from ganglion.watching.account import Account
from watch_loops import ConvD, ConvG, Truth, adam, data, tutorial
from watch_loops_networks import NETWORKS, Scriptable, bce, loop_of
from watching_runs import equal, run

STEPS, EVERY = 24, 8


def watched(
    loop: Callable[..., Truth], steps: int = STEPS, **options: Any
) -> tuple[Truth, ganglion.Monitor, list[str]]:
    monitors: list[ganglion.Monitor] = []
    said: list[str] = []

    def attach(*players: Any) -> None:
        monitors.append(ganglion.watch(*players, **{"every": EVERY, "say": said.append, **options}))

    truth, _ = run(loop, attach, steps)
    return truth, monitors[0], said


def hooks_of(*networks: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for network in networks for m in network.modules())


def step_hooks() -> int:
    return len(optimizers._global_optimizer_pre_hooks) + len(optimizers._global_optimizer_post_hooks)


def test_no_hook_stays_behind() -> None:
    G, D, before = ConvG(), ConvD(), step_hooks()
    with ganglion.watch(G, D, adam(G), adam(D)) as monitor:
        assert hooks_of(G, D) == 2
    assert (hooks_of(G, D), monitor.closed) == (0, True)
    assert step_hooks() <= before


def test_records_come_at_the_first_step_and_at_every_so_manieth() -> None:
    _, monitor, _ = watched(tutorial)
    assert [record["step"] for record in monitor.records] == [0, 1, 8, 16, 24]
    last = monitor.records[-1]
    assert {"update_g", "weight_d", "lr_g", "first_gradient_g", "logits", "saturation", "z_response"} <= last.keys()
    assert last["moves_d_with_g"] == last["moves_g_with_d"] == 0
    assert last["range_real"][0] == pytest.approx(-1.2, abs=0.15)
    json.dumps(last, allow_nan=False)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("ganglion.watching.forward.ForwardPasses.seen_g", "forward passes of G"),
        ("ganglion.watching.forward.ForwardPasses.seen_d", "forward passes of D"),
        ("ganglion.watching.roles.Roles.sort", "D's logits on real and fake"),
        ("ganglion.vitals.gradients.GradientStats.after_backward", "gradients of D"),
        ("ganglion.watching.probe.ForeignProbe.samples", "samples at fixed latents"),
        ("ganglion.watching.steps.Steps.before_step", "steps of optimisers"),
        ("ganglion.watching.records.Records._diagnose", "diagnosis"),
    ],
)
def test_an_error_ends_one_measurement_is_said_once_and_leaves_the_training(
    where: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, alone = run(tutorial, lambda *_: None, STEPS)
    said: list[str] = []
    monitors: list[ganglion.Monitor] = []

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(where, broken)
    _, seen = run(tutorial, lambda *p: monitors.append(ganglion.watch(*p, every=EVERY, say=said.append)), STEPS)
    assert equal(alone, seen)
    told = [text for text in said if "a fault of ours; training and other measurements continue" in text]
    assert len([text for text in told if text.startswith(f"ganglion.watch: {name} ended at step")]) == 1
    assert any(reason.startswith(f"{name}: ended at step") for reason in monitors[0].verdict().unseen)
    assert monitors[0].step in (0, STEPS)
    assert monitors[0].verdict().state == "unknown"


def test_a_failing_say_stops_nothing() -> None:
    _, alone = run(tutorial, lambda *_: None, STEPS)

    def closed_pipe(_text: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monitors: list[ganglion.Monitor] = []
    _, seen = run(tutorial, lambda *p: monitors.append(ganglion.watch(*p, every=EVERY, say=closed_pipe)), STEPS)
    assert equal(alone, seen)
    assert [record["step"] for record in monitors[0].records] == [0, 1, 8, 16, 24]
    assert any("Broken pipe" in reason for reason in monitors[0].verdict().unseen)


def test_a_full_disk_ends_the_files_and_not_the_diagnosis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganglion.runs.journal.JsonLines.write", full)
    _, monitor, _ = watched(tutorial, out=tmp_path)
    monitor.close()
    assert monitor.step == STEPS
    assert any(reason.startswith("files: ended at step 1 by") for reason in monitor.verdict().unseen)
    assert monitor.records[-1]["step"] == STEPS


def test_hooks_can_be_removed_while_an_optimizer_goes_through_them() -> None:
    G, D = ConvG(), ConvD()
    opt_g, opt_d = adam(G), adam(D)
    first = ganglion.watch(G, D, opt_g, opt_d, every=1, say=lambda text: first.close())
    second = ganglion.watch(G, D, opt_g, opt_d, every=1, say=lambda text: None)
    opt_g.register_step_post_hook(lambda *_: second.close() if second.step == 2 else None)
    for step in range(4):
        opt_d.zero_grad()
        fake = G(torch.randn(8, 8))
        (bce(D(data(8, step)), True) + bce(D(fake.detach()), False)).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(D(fake), True).backward()
        opt_g.step()
    assert (first.closed, second.closed) == (True, True)
    assert (first.step, second.step) == (1, 2)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_copies_pickles_and_scripts_of_a_watched_network_carry_no_monitor() -> None:
    G, D = Scriptable(), ConvD(norm=False)
    opt_g = adam(G)
    with ganglion.watch(G, D, opt_g, adam(D)) as monitor:
        twin = copy.deepcopy(G)
        average = torch.optim.swa_utils.AveragedModel(G)
        file = io.BytesIO()
        torch.save(G, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=False)
        scripted = torch.jit.script(G)
        copy.deepcopy(opt_g)
        torch.save(opt_g.state_dict(), io.BytesIO())
        assert hooks_of(twin) == hooks_of(average) == 0
        z = torch.randn(2, 8)
        numbers = monitor._steps.passes.number
        outputs = [network(z) for network in (twin, average, loaded, scripted)]
        assert monitor._steps.passes.number == numbers
        assert all(torch.equal(output, G(z)) for output in outputs)


def test_memory_is_that_of_fingerprints() -> None:
    G, D = (
        nn.Sequential(nn.Linear(8, 3 * 64 * 64), nn.Unflatten(1, (3, 64, 64))),
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 1)),
    )
    with ganglion.watch(G, D, adam(G), adam(D), say=lambda text: None) as monitor:
        for _ in range(20):
            G(torch.randn(8, 8))
        kept = [batch.marks.values.numel() for batch in monitor._steps.roles.drawn._newest]
    assert max(kept) == 8 * 8


def changed_after_detach(steps: int, attach: Callable[..., None], told: Any = None) -> Truth:
    """D is shown negatives of the fakes, and G in its own step fakes of other latents as they are."""
    G, D = ConvG(), ConvD()
    opt_g, opt_d = adam(G), adam(D)
    attach(G, D, opt_g, opt_d)
    truth = Truth([G, D], [], [])
    real_as, fake_as = told() if told else (lambda x: x, lambda x: x)
    for _ in range(steps):
        opt_d.zero_grad()
        real, fake = (
            torch.rand(16, 1, 16, 16) * 0.01,
            torch.rand(16, 1, 16, 16) * 0.01 + 0 * G(torch.randn(16, 8)).detach(),
        )
        on_real, on_fake = D(real_as(real)), D(fake_as(fake))
        truth.real.append(on_real.detach().flatten())
        truth.fake.append(on_fake.detach().flatten())
        (bce(on_real, True) + bce(on_fake, False)).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(D(G(torch.randn(16, 8))), True).backward()
        opt_g.step()
    return truth


def test_what_it_cannot_see_it_reports_as_not_seen() -> None:
    _, monitor, _ = watched(changed_after_detach)
    assert monitor.error is None
    assert "separation" not in monitor.records[-1]
    assert "grad_g" in monitor.records[-1]
    assert any("pass them through monitor.fake(...)" in reason for reason in monitor.verdict().unseen)


def test_what_the_user_tells_is_taken() -> None:
    monitors: list[ganglion.Monitor] = []

    def attach(*players: Any) -> None:
        monitors.append(ganglion.watch(*players, every=1, say=lambda text: None))

    truth = changed_after_detach(5, attach, lambda: (monitors[0].real, monitors[0].fake))
    for record, real, fake in zip(monitors[0].records[-5:], truth.real, truth.fake, strict=True):
        assert record["logit_real"] == pytest.approx(float(real.mean()), rel=1e-3)
        assert record["logit_fake"] == pytest.approx(float(fake.mean()), rel=1e-3)


def test_told_latents_are_used_where_g_is_called_by_its_parts() -> None:
    _, monitor, _ = watched(NETWORKS["by_parts"])
    assert any("monitor.latents(...)" in reason for reason in monitor.verdict().unseen)
    monitors: list[ganglion.Monitor] = []

    def loop(steps: int, attach: Callable[..., None]) -> Truth:
        from watch_loops_networks import Parts

        G = Parts()
        call = lambda n: G.synthesis(G.mapping(monitors[0].latents(torch.randn(n, 8))))  # noqa: E731
        return loop_of(G, ConvD(norm=False), steps, attach, call_g=call)

    run(loop, lambda *p: monitors.append(ganglion.watch(*p, every=EVERY, say=lambda text: None)), STEPS)
    assert "z_response" in monitors[0].records[-1]
    assert not any("latents" in reason for reason in monitors[0].verdict().unseen)


def test_what_is_told_comes_back_as_it_was() -> None:
    G, D = ConvG(), ConvD()
    with ganglion.watch(G, D, adam(G), adam(D), say=lambda text: None) as monitor:
        for thing in (torch.zeros(2, 3), None, [torch.zeros(1, 2)], "text"):
            assert monitor.real(thing) is monitor.fake(thing) is monitor.latents(thing) is thing
    assert monitor.error is None


def test_nan_between_two_records_is_found_when_the_verdict_is_asked_for() -> None:
    truth, monitor, _ = watched(tutorial, steps=20)
    with torch.no_grad():
        truth.networks[0].first.weight[0, 0] = float("nan")
    verdict = monitor.verdict()
    assert (verdict.state, verdict.findings[0].code) == ("failing", "non-finite")
    assert "generator.first.weight" in verdict.findings[0].why
    assert verdict.chance is None or verdict.chance.probability < 0.05


def test_a_key_that_was_seen_once_is_not_enough_for_healthy() -> None:
    G, D = ConvG(), ConvD()
    with ganglion.watch(G, D, adam(G), adam(D), say=lambda text: None) as monitor:
        good = {"separation": 0.7, "grad_g_first": 0.1, "swd": 10.0, "swd_floor": 9.0, "contrast": 1.0}
        for number in range(20):
            seen = {"diversity": 1.0} if number == 0 else {}
            monitor._records._keep({"step": 50 * number, "kimg": 1.0 * number, **good, **seen}, None)
    verdict = monitor.verdict()
    assert verdict.state == "unknown"
    assert any("diversity is in 1 of 20 records, the last of step 0" in reason for reason in verdict.unseen)


def test_one_optimiser_that_moves_both_networks_is_measured() -> None:
    G, D = ConvG(), ConvD()
    both, other = torch.optim.Adam([*G.parameters(), *D.parameters()]), adam(D)
    monitor = ganglion.watch(G, D, both, other, every=1, say=lambda text: None)
    G(torch.randn(4, 8)).sum().backward()
    both.step()
    assert (monitor.records[0]["moves_d_with_g"], monitor.records[0]["moves_g_with_d"]) == (1, 0)


def test_ones_own_numbers_are_in_the_next_record_and_bad_ones_are_found() -> None:
    monitors: list[ganglion.Monitor] = []

    def attach(*players: Any) -> None:
        monitors.append(ganglion.watch(*players, every=EVERY, say=lambda text: None))
        monitors[0].log(loss_d=1.5, loss_g=torch.tensor(2.5), loss_l1=torch.zeros(2))

    run(tutorial, attach, 8)
    assert [(r["step"], r["loss_d"], r["loss_g"]) for r in monitors[0].records if "loss_d" in r] == [(1, 1.5, 2.5)]
    assert any(reason.startswith("your number loss_l1: ended") for reason in monitors[0].verdict().unseen)
    monitors[0].log(loss_g=float("nan"))
    monitors[0]._records.make()
    assert monitors[0].records[-1]["non_finite"] == {"step": 8, "tensor": "loss_g"}


def test_it_leaves_a_folder_that_can_be_read_and_sets_an_older_one_aside(tmp_path: Path) -> None:
    for _ in range(2):
        _, monitor, _ = watched(tutorial, out=tmp_path)
        monitor.close()
    lines = [json.loads(line) for line in (tmp_path / "vitals.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 8, 16, 24]
    assert (tmp_path / "vitals.jsonl.old-1").exists()
    assert len(list((tmp_path / "samples" / "fixed").glob("*.png"))) >= 3
    verdict = ganglion.diagnose(tmp_path)
    assert verdict.seen == monitor.verdict().seen
    assert any("samples (images of shape 1x16x16) of G" in one for one in verdict.seen)
    assert "Seen: " in verdict.text()


def test_a_learning_rate_that_is_no_optimiser_is_refused_at_once() -> None:
    G, D = ConvG(), ConvD()
    with pytest.raises(TypeError, match=r"expected a torch\.optim\.Optimizer"):
        ganglion.watch(G, D, 1e-3, adam(D))
    with pytest.raises(ValueError, match="every must be a number of steps of at least 1; got 0"):
        ganglion.watch(G, D, adam(G), adam(D), every=0)


def test_hooks_of_other_people_are_not_called_by_a_look() -> None:
    calls: list[int] = []

    def attach(G: nn.Module, *rest: Any) -> None:
        G.register_forward_hook(lambda *_: calls.append(1))
        ganglion.watch(G, *rest, every=EVERY, say=lambda text: None)

    run(tutorial, attach, STEPS)
    assert len(calls) == STEPS + 5  # a batch a step, and the loop's own five previews


def collapsed(steps: int, attach: Callable[..., None]) -> Truth:
    """G returns one image, whatever z is, and is called by keyword."""

    class G(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image = nn.Parameter(data(1, 0).clone())

        def forward(self, *, z: Tensor) -> Tensor:
            return torch.tanh(self.image + 0 * z.mean()).expand(len(z), 1, 16, 16)

    g = G()
    return loop_of(
        g, ConvD(norm=False), steps, attach, call_g=lambda n: g(z=torch.randn(n, 8)), reals=lambda step: data(64, step)
    )


def test_a_collapsed_generator_that_is_called_by_keyword_is_found() -> None:
    for steps, state in ((60, "watch"), (90, "failing")):  # failing once it has lasted
        _, monitor, said = watched(collapsed, steps=steps, every=2)
        verdict = monitor.verdict()
        assert verdict.state == state
        assert "mode-collapse" in [finding.code for finding in verdict.findings]
        assert any(f"{state}: mode-collapse" in text for text in said)


def test_an_account_names_what_ended_and_says_no_more_when_nobody_listens() -> None:
    said: list[str] = []
    account = Account(said.append)
    assert account.run("this", lambda: 1 / 0) is None
    assert account.run("this", lambda: 3) is None
    assert account.run("that", F.relu, torch.tensor(2.0)) == 2
    account.note("more", "it is dark")
    assert account.unseen == ["more: it is dark", "this: ended at step 0 by ZeroDivisionError: division by zero"]
    assert len(said) == 1
    account.note("more", None)
    assert "Not seen: this" in account.summary(["one"])


CRASHING = """
import torch
from torch import nn
import ganglion

G = nn.Sequential(nn.Linear(8, 16), nn.Unflatten(1, (1, 4, 4)), nn.Tanh())
D = nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Sigmoid())
both = [torch.optim.Adam(network.parameters()) for network in (G, D)]
monitor = ganglion.watch(G, D, *both, out="watched", every=50)
loss = nn.BCELoss()
for step in range(20):
    if step == 10:
        G[0].weight.data.fill_(float("nan"))
    fake = G(torch.randn(4, 8))
    both[1].zero_grad()
    (loss(D(torch.rand(4, 1, 4, 4)), torch.ones(4, 1)) + loss(D(fake.detach()), torch.zeros(4, 1))).backward()
    both[1].step()
    both[0].zero_grad()
    loss(D(fake), torch.ones(4, 1)).backward()
    both[0].step()
"""


def test_a_program_that_ends_by_an_error_at_a_nan_leaves_a_record_of_it(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(CRASHING)
    done = subprocess.run([sys.executable, "loop.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "all elements of input should be between 0 and 1" in done.stderr
    verdict = ganglion.diagnose(tmp_path / "watched")
    assert (verdict.state, verdict.findings[0].code) == ("failing", "non-finite")
    assert "weight" in verdict.findings[0].why


def test_the_verdict_has_the_chance_of_a_good_end_as_the_files_have_it(tmp_path: Path) -> None:
    _, monitor, _ = watched(tutorial, steps=80, out=tmp_path)
    chance = monitor.verdict().chance
    assert chance is not None
    assert chance == ganglion.diagnose(tmp_path).chance
