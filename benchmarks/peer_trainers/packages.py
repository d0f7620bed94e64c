"""Trainers of other packages, each with the settings of its own command or first example, on a CPU.

Nothing in the packages is changed; what they cannot do without CUDA or TensorFlow is put right from outside:

- torch-mimicry imports TensorFlow, scikit-image and `torch._six` for scores and data sets that are not used here: they
  are empty modules while it is imported.
- lightweight-gan and stylegan2-pytorch assert a CUDA device when imported and move tensors with `.cuda()`: the assertion
  is told that there is one, and `.cuda()` returns its tensor. stylegan2-pytorch imports `aim`, which only its log uses.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from peer_trainers.job import Job, as_uint8, image_folder
from peer_trainers.meter import Meter

__all__ = ["PACKAGES"]

Train = Callable[[Job, Meter], None]


@contextlib.contextmanager
def empty_modules(*names: str, **inside: object) -> Iterator[None]:
    """While a package is imported, these modules can be, and hold nothing but `inside`."""
    for name in names:
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(inside)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def sampler(network: nn.Module, draw: Callable[[int], torch.Tensor], low: float) -> Callable[[int], NDArray[np.uint8]]:
    """Samples in eval mode, after which the network is in train mode again."""

    def sample(n: int) -> NDArray[np.uint8]:
        network.eval()
        with torch.no_grad():
            images = draw(n)
        network.train()
        return as_uint8(images, low)

    return sample


def mimicry(generator: str, discriminator: str, room: str) -> Train:
    """torch-mimicry, by its example: Adam 2e-4 with betas 0 and 0.9, batch 64, five updates of D, linear decay."""

    def train(job: Job, meter: Meter) -> None:
        import torch.utils.tensorboard  # before there is an empty TensorFlow, which it would use

        with empty_modules("tensorflow", "torch._six", "skimage", PY3=True, io=None):
            import torch_mimicry

        meter.start()
        nets = getattr(torch_mimicry.nets, room)
        G, D = getattr(nets, f"{generator}{job.size}")(), getattr(nets, f"{discriminator}{job.size}")()
        optimizer_g = torch.optim.Adam(G.parameters(), 2e-4, betas=(0.0, 0.9))
        optimizer_d = torch.optim.Adam(D.parameters(), 2e-4, betas=(0.0, 0.9))
        meter.watch(optimizer_g, sampler(G, G.generate_images, -1))
        torch_mimicry.training.Trainer(
            netD=D, netG=G, optD=optimizer_d, optG=optimizer_g, n_dis=5, num_steps=100_000, lr_decay="linear",
            dataloader=DataLoader(image_folder(job, 3), 64, shuffle=True, num_workers=0),
            log_dir=str(job.work / "log"), device=torch.device("cpu"),
        ).train()  # fmt: skip

    return train


def torchgan(job: Job, meter: Meter) -> None:
    """torchgan's DCGAN, by its introduction: step_channels 32, Adam 1e-4 and 3e-4, least squares, batch 64."""
    os.environ |= {"TENSORBOARD_LOGGING": "0", "VISDOM_LOGGING": "0"}
    from torchgan import losses, models, trainer

    meter.start()

    def player(network: type, lr: float, last: nn.Module, **sizes: int) -> dict[str, Any]:
        args = {**sizes, "step_channels": 32, "nonlinearity": nn.LeakyReLU(0.2), "last_nonlinearity": last}
        adam = {"name": torch.optim.Adam, "args": {"lr": lr, "betas": (0.5, 0.999)}}
        return {"name": network, "args": args, "optimizer": adam}

    size, channels = job.size, job.channels
    run = trainer.Trainer(
        {
            "generator": player(
                models.DCGANGenerator, 1e-4, nn.Tanh(), encoding_dims=100, out_size=size, out_channels=channels
            ),
            "discriminator": player(
                models.DCGANDiscriminator, 3e-4, nn.LeakyReLU(0.2), in_size=size, in_channels=channels
            ),
        },
        [losses.LeastSquaresGeneratorLoss(), losses.LeastSquaresDiscriminatorLoss()],
        sample_size=64, epochs=1_000_000, device=torch.device("cpu"),
        checkpoints=str(job.work / "model/gan"), recon=str(job.work / "images"),
    )  # fmt: skip
    G = run.generator
    meter.watch(run.optimizer_generator, sampler(G, lambda n: G(torch.randn(n, 100)), -1))
    run(DataLoader(image_folder(job), 64, shuffle=True, num_workers=0))


@contextlib.contextmanager
def no_cuda_needed() -> Iterator[None]:
    """CUDA is reported while a package is imported; its tensors and modules stay where they are for good."""
    nn.Module.cuda = torch.Tensor.cuda = lambda self, *_, **__: self  # type: ignore[assignment,method-assign]
    kept, torch.cuda.is_available = torch.cuda.is_available, lambda: True
    try:
        yield
    finally:
        torch.cuda.is_available = kept


class CpuTorch(types.ModuleType):
    """torch, but for `torch.device`, which is the CPU whatever is asked for."""

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: torch.device("cpu")) if name == "device" else getattr(torch, name)


def lightweight_gan(job: Job, meter: Meter) -> None:
    """lightweight-gan, by its command's defaults: batch 10 accumulated 4 times, augmentation chosen by itself.

    Its averaged weights begin after 20,000 steps; before, they are a copy up to 1,000 steps old, so G itself is sampled.
    """
    with no_cuda_needed():
        from lightweight_gan import cli
        from lightweight_gan import lightweight_gan as package
    package.torch = CpuTorch("torch")
    meter.start()
    watch_trainer(package.Trainer, meter, lambda run: sampler(
        run.GAN, lambda n: run.GAN.G(torch.randn(n, run.GAN.latent_dim)).clamp(0, 1), 0
    ))  # fmt: skip
    cli.train_from_folder(**folders(job), image_size=job.size, num_workers=0)


def stylegan2_pytorch(job: Job, meter: Meter) -> None:
    """stylegan2-pytorch, by its command's defaults: batch 5 accumulated 6 times. Sampled from G for the same reason.

    Styles are not truncated: that would narrow the samples, and raise the Fréchet distance.
    """
    with empty_modules("aim"), no_cuda_needed():
        from stylegan2_pytorch import cli
        from stylegan2_pytorch import stylegan2_pytorch as package
    meter.start()

    def draw(run: Any) -> Callable[[int], torch.Tensor]:
        def images(n: int) -> torch.Tensor:
            G = run.GAN.G
            styles = package.noise_list(n, G.num_layers, G.latent_dim, device=0)
            w = package.styles_def_to_tensor(package.latent_to_w(run.GAN.S, styles))
            return G(w, package.image_noise(n, job.size, device=0)).clamp(0, 1)

        return images

    watch_trainer(package.Trainer, meter, lambda run: sampler(run.GAN, draw(run), 0))
    cli.train_from_folder(**folders(job), image_size=job.size, num_workers=0)


def watch_trainer(trainer: type, meter: Meter, make: Callable[[Any], Callable[[int], NDArray[np.uint8]]]) -> None:
    """The meter watches G's optimizer of each run that `trainer` begins."""
    begin = trainer.init_GAN  # type: ignore[attr-defined]

    def init_and_watch(self: Any) -> None:
        begin(self)
        meter.watch(self.GAN.G_opt, make(self))

    trainer.init_GAN = init_and_watch  # type: ignore[attr-defined]


def folders(job: Job) -> dict[str, Any]:
    return {
        "data": str(job.images), "results_dir": str(job.work / "results"), "models_dir": str(job.work / "models"),
        "new": True,
    }  # fmt: skip


PACKAGES: dict[str, Train] = {
    "mimicry-sngan": mimicry("SNGANGenerator", "SNGANDiscriminator", "sngan"),
    "mimicry-wgan-gp": mimicry("WGANGPGenerator", "WGANGPDiscriminator", "wgan_gp"),
    "torchgan-dcgan": torchgan,
    "lightweight-gan": lightweight_gan,
    "stylegan2-pytorch": stylegan2_pytorch,
}
