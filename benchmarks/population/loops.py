"""Twelve training loops in the styles in which people write them. None is Ganglion's; all are watched from outside.

Each takes a Setting, which gives it images, its budget and the one thing that is changed, and trains until the budget is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from population.conditioned import conditional, image_to_image
from population.critics import spectral_hinge, wgan_clipping, wgan_gp
from population.networks import (
    ConvCritic,
    ConvGenerator,
    DenseDiscriminator,
    DenseGenerator,
    ResizeGenerator,
    tutorial_weights,
)
from population.setting import Setting

__all__ = ["LOOPS", "Loop"]

Loop = Callable[[Setting], None]
adam = partial(torch.optim.Adam, betas=(0.5, 0.999))


def tutorial(s: Setting) -> None:
    """The public DCGAN example: sigmoid and BCELoss, D's step on a real and on a fake batch apart, N(0, 0.02)."""
    images, b = s.images, 64
    netG = ConvGenerator(
        100 if s.change.z_dim is None else s.change.z_dim, images.channels, images.size, s.width("g", 16), s.last()
    )
    netD = ConvCritic(images.channels, images.size, s.width("d", 16), sigmoid=True)
    netG.apply(tutorial_weights)
    netD.apply(tutorial_weights)
    s.adapt(netG, netD)
    criterion = nn.BCELoss()
    optimizerG, optimizerD = s.optimizers(lambda p, lr: adam(p, lr), 2e-4, 2e-4)(netG, netD)
    monitor = s.watch(netG, netD, optimizerG, optimizerD, lambda n: netG(s.latents(n, 100)[:, :, None, None]))
    while s.going_on():
        for _ in s.d_turns(1):
            s.zero("d", optimizerD)
            real, _labels = s.reals(b)
            errD_real = criterion(netD(real), s.targets(len(real), True))
            errD_real.backward()
            fake = netG(s.latents(len(real), 100)[:, :, None, None])
            errD_fake = criterion(netD(s.for_d(fake)), s.targets(len(real), False))
            errD_fake.backward(retain_graph=s.change.detach == "forgotten")
            optimizerD.step()
        for turn in s.g_turns():
            s.zero("g", optimizerG)
            if turn:
                fake = netG(s.latents(len(real), 100)[:, :, None, None])
            errG = s.loss_of_g(netD(s.for_g(fake)), logits=False)
            errG.backward()
            optimizerG.step()
        monitor.log(loss_d=(errD_real + errD_fake).item(), loss_g=errG.item())
    monitor.close()


def joined(s: Setting) -> None:
    """Reals and fakes in one batch through D, logits, no batch norm in D, PyTorch's default first weights, higher rates."""
    images, b = s.images, 32
    G = ConvGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 16), s.last())
    D = ConvCritic(images.channels, images.size, s.width("d", 16), norm="none")
    s.adapt(G, D)
    opt_g, opt_d = s.optimizers(lambda p, lr: adam(p, lr), 1e-3, 5e-4)(G, D)
    monitor = s.watch(G, D, opt_g, opt_d, lambda n: G(s.latents(n, 64)[:, :, None, None]))
    loss_fn = nn.BCEWithLogitsLoss()
    while s.going_on():
        for _ in s.d_turns(1):
            x_real, _labels = s.reals(b)
            n = len(x_real)
            x_fake = G(s.latents(n, 64)[:, :, None, None])
            y = torch.cat([s.targets(n, True), s.targets(n, False)])
            d_loss = loss_fn(D(torch.cat([x_real, s.for_d(x_fake)])), y)
            s.zero("d", opt_d)
            d_loss.backward()
            opt_d.step()
        for _ in s.g_turns():
            g_loss = s.loss_of_g(D(s.for_g(G(s.latents(n, 64)[:, :, None, None]))))
            s.zero("g", opt_g)
            g_loss.backward()
            opt_g.step()
        monitor.log(loss_d=d_loss.item(), loss_g=g_loss.item())
    monitor.close()


def least_squares(s: Setting) -> None:
    """LSGAN: enlarging and 3x3 convolutions in G, G's step before D's, mean squared errors."""
    images, b = s.images, 32
    generator = ResizeGenerator(s.z_dim(100), images.channels, images.size, s.width("g", 16), s.last())
    discriminator = ConvCritic(images.channels, images.size, s.width("d", 12))
    s.adapt(generator, discriminator)
    optimizer_G, optimizer_D = s.optimizers(lambda p, lr: adam(p, lr), 2e-4, 2e-4)(generator, discriminator)
    monitor = s.watch(generator, discriminator, optimizer_G, optimizer_D, lambda n: generator(s.latents(n, 100)))
    while s.going_on():
        imgs, _labels = s.reals(b)
        n = len(imgs)
        for _ in s.g_turns():
            s.zero("g", optimizer_G)
            gen_imgs = generator(s.latents(n, 100))
            g_loss = mse_loss(discriminator(s.for_g(gen_imgs)), s.target_for_g(n))
            g_loss.backward()
            optimizer_G.step()
        for turn in s.d_turns(1):
            if turn or s.change.detach == "forgotten":
                gen_imgs = generator(s.latents(n, 100))
            s.zero("d", optimizer_D)
            real_loss = mse_loss(discriminator(imgs), s.targets(n, True))
            fake_loss = mse_loss(discriminator(s.for_d(gen_imgs)), s.targets(n, False))
            d_loss = 0.5 * (real_loss + fake_loss)
            d_loss.backward()
            optimizer_D.step()
        monitor.log(loss_d=d_loss.item(), loss_g=g_loss.item())
    monitor.close()


class TwoPlayers(nn.Module):
    """Both networks and their losses in one module."""

    def __init__(self, s: Setting) -> None:
        super().__init__()
        images = s.images
        self.s = s
        self.gen = ConvGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 16), s.last())
        self.dis = ConvCritic(images.channels, images.size, s.width("d", 16))
        s.adapt(self.gen, self.dis)

    def loss_of_dis(self, real: Tensor) -> Tensor:
        fake = self.gen(self.s.latents(len(real), 64)[:, :, None, None])
        smooth = 0.9 * self.s.targets(len(real), True)
        return binary_cross_entropy_with_logits(self.dis(real), smooth) + binary_cross_entropy_with_logits(
            self.dis(self.s.for_d(fake)), self.s.targets(len(real), False)
        )

    def loss_of_gen(self, n: int) -> Tensor:
        return self.s.loss_of_g(self.dis(self.s.for_g(self.gen(self.s.latents(n, 64)[:, :, None, None]))))


def two_optimizers(s: Setting) -> None:
    """SGD with momentum for D, Adam for G, smoothed labels; losses are methods of a module that holds both."""
    model = TwoPlayers(s)
    sgd = lambda p, lr: torch.optim.SGD(p, lr, momentum=0.5)  # noqa: E731
    opt_g, opt_d = s.optimizers(lambda p, lr: adam(p, lr), 5e-4, 5e-3, sgd)(model.gen, model.dis)
    monitor = s.watch(model.gen, model.dis, opt_g, opt_d, lambda n: model.gen(s.latents(n, 64)[:, :, None, None]))
    while s.going_on():
        for _ in s.d_turns(1):
            real, _labels = s.reals(32)
            s.zero("d", opt_d)
            loss_d = model.loss_of_dis(real)
            loss_d.backward()
            opt_d.step()
        for _ in s.g_turns():
            s.zero("g", opt_g)
            loss_g = model.loss_of_gen(len(real))
            loss_g.backward()
            opt_g.step()
        monitor.log(loss_d=loss_d.item(), loss_g=loss_g.item())
    monitor.close()


def micro_batches(s: Setting, parts: int = 4) -> None:
    """Gradients of four small batches are summed before each update."""
    images, b = s.images, 16
    G = ConvGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 16), s.last())
    D = ConvCritic(images.channels, images.size, s.width("d", 16), norm="instance")
    s.adapt(G, D)
    opt_g, opt_d = s.optimizers(lambda p, lr: torch.optim.AdamW(p, lr, betas=(0.5, 0.99)), 5e-4, 5e-4)(G, D)
    monitor = s.watch(G, D, opt_g, opt_d, lambda n: G(s.latents(n, 64)[:, :, None, None]))
    criterion = nn.BCEWithLogitsLoss()
    while s.going_on():
        for _ in s.d_turns(1):
            s.zero("d", opt_d)
            for _ in range(parts):
                real, _labels = s.reals(b)
                fake = G(s.latents(len(real), 64)[:, :, None, None])
                loss_d = criterion(D(real), s.targets(len(real), True)) + criterion(
                    D(s.for_d(fake)), s.targets(len(real), False)
                )
                (loss_d / parts).backward()
            opt_d.step()
        for _ in s.g_turns():
            s.zero("g", opt_g)
            for _ in range(parts):
                loss_g = s.loss_of_g(D(s.for_g(G(s.latents(len(real), 64)[:, :, None, None]))))
                (loss_g / parts).backward()
            opt_g.step()
        monitor.log(loss_d=loss_d.item(), loss_g=loss_g.item())
    monitor.close()


def mixed_precision(s: Setting) -> None:
    """Autocast to bf16, gradients clipped to a norm of 1."""
    images, b = s.images, 32
    G = ConvGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 24), s.last())
    D = ConvCritic(images.channels, images.size, s.width("d", 24), norm="none")
    s.adapt(G, D)
    opt_g, opt_d = s.optimizers(lambda p, lr: adam(p, lr), 1e-3, 5e-4)(G, D)
    monitor = s.watch(G, D, opt_g, opt_d, lambda n: G(s.latents(n, 64)[:, :, None, None]))
    while s.going_on():
        for _ in s.d_turns(1):
            x, _labels = s.reals(b)
            s.zero("d", opt_d)
            with torch.autocast("cpu", torch.bfloat16):
                fake = G(s.latents(len(x), 64)[:, :, None, None])
                on_real, on_fake = D(x), D(s.for_d(fake))
            loss_d = binary_cross_entropy_with_logits(on_real.float(), s.targets(len(x), True))
            loss_d = loss_d + binary_cross_entropy_with_logits(on_fake.float(), s.targets(len(x), False))
            loss_d.backward()
            nn.utils.clip_grad_norm_(D.parameters(), 1.0)
            opt_d.step()
        for _ in s.g_turns():
            s.zero("g", opt_g)
            with torch.autocast("cpu", torch.bfloat16):
                score = D(s.for_g(G(s.latents(b, 64)[:, :, None, None])))
            loss_g = s.loss_of_g(score.float())
            loss_g.backward()
            nn.utils.clip_grad_norm_(G.parameters(), 1.0)
            opt_g.step()
        monitor.log(loss_d=loss_d.item(), loss_g=loss_g.item())
    monitor.close()


def fully_connected(s: Setting) -> None:
    """The first GAN of many: fully connected networks, BCELoss, G's step first."""
    images, b = s.images, 64
    generator = DenseGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 96), s.last())
    discriminator = DenseDiscriminator(images.channels, images.size, s.width("d", 128))
    s.adapt(generator, discriminator)
    adversarial_loss = nn.BCELoss()
    optimizer_G, optimizer_D = s.optimizers(lambda p, lr: adam(p, lr), 2e-4, 2e-4)(generator, discriminator)
    monitor = s.watch(generator, discriminator, optimizer_G, optimizer_D, lambda n: generator(s.latents(n, 64)))
    while s.going_on():
        imgs, _labels = s.reals(b)
        n = len(imgs)
        for _ in s.g_turns():
            s.zero("g", optimizer_G)
            gen_imgs = generator(s.latents(n, 64))
            g_loss = s.loss_of_g(discriminator(s.for_g(gen_imgs)).squeeze(1), logits=False)
            g_loss.backward()
            optimizer_G.step()
        for turn in s.d_turns(1):
            if turn or s.change.detach == "forgotten":
                gen_imgs = generator(s.latents(n, 64))
            s.zero("d", optimizer_D)
            real_loss = adversarial_loss(discriminator(imgs), s.targets(n, True)[:, None])
            fake_loss = adversarial_loss(discriminator(s.for_d(gen_imgs)), s.targets(n, False)[:, None])
            d_loss = (real_loss + fake_loss) / 2
            d_loss.backward()
            optimizer_D.step()
        monitor.log(loss_d=d_loss.item(), loss_g=g_loss.item())
    monitor.close()


LOOPS: dict[str, Loop] = {
    "tutorial": tutorial,
    "joined": joined,
    "wgan-clipping": wgan_clipping,
    "wgan-gp-loop": wgan_gp,
    "least-squares": least_squares,
    "spectral-hinge": spectral_hinge,
    "conditional": conditional,
    "image-to-image": image_to_image,
    "two-optimizers": two_optimizers,
    "micro-batches": micro_batches,
    "mixed-precision": mixed_precision,
    "fully-connected": fully_connected,
}
