"""Loops whose D is a critic without labels: clipped, with a gradient penalty, with spectral norm and the hinge loss."""

from __future__ import annotations

import torch
from torch.nn.functional import relu

from population.networks import ConvCritic, ConvGenerator, tutorial_weights
from population.setting import Setting

__all__ = ["spectral_hinge", "wgan_clipping", "wgan_gp"]


def wgan_clipping(s: Setting) -> None:
    """WGAN as its authors wrote it: RMSprop, clipping, five steps of the critic."""
    images, b = s.images, 32
    netG = ConvGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 16), s.last())
    netD = ConvCritic(images.channels, images.size, s.width("d", 16))
    netG.apply(tutorial_weights)
    netD.apply(tutorial_weights)
    s.adapt(netG, netD)
    bound = 0.01 if s.change.clip is None else s.change.clip
    optG, optD = s.optimizers(lambda p, lr: torch.optim.RMSprop(p, lr), 2e-4, 2e-4)(netG, netD)
    monitor = s.watch(netG, netD, optG, optD, lambda n: netG(s.latents(n, 64)[:, :, None, None]))
    while s.going_on():
        for _ in s.d_turns(5):
            s.zero("d", optD)
            real, _labels = s.reals(b)
            fake = netG(s.latents(len(real), 64)[:, :, None, None])
            lossD = netD(s.for_d(fake)).mean() - netD(real).mean()
            lossD.backward()
            optD.step()
            for p in netD.parameters():
                p.data.clamp_(-bound, bound)
        for _ in s.g_turns():
            s.zero("g", optG)
            lossG = -netD(s.for_g(netG(s.latents(b, 64)[:, :, None, None]))).mean()
            lossG.backward()
            optG.step()
        monitor.log(loss_d=lossD.item(), loss_g=lossG.item())
    monitor.close()


def wgan_gp(s: Setting) -> None:
    """WGAN-GP: instance norm in the critic, the penalty between reals and fakes, three steps of the critic."""
    images, b = s.images, 32
    generator = ConvGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 16), s.last())
    critic = ConvCritic(images.channels, images.size, s.width("d", 16), norm="instance")
    s.adapt(generator, critic)
    weight = 10.0 if s.change.penalty is None else s.change.penalty
    make = lambda p, lr: torch.optim.Adam(p, lr, betas=(0.0, 0.9))  # noqa: E731
    opt_gen, opt_critic = s.optimizers(make, 5e-4, 5e-4)(generator, critic)
    monitor = s.watch(generator, critic, opt_gen, opt_critic, lambda n: generator(s.latents(n, 64)[:, :, None, None]))
    while s.going_on():
        for _ in s.d_turns(3):
            real, _labels = s.reals(b)
            fake = generator(s.latents(len(real), 64)[:, :, None, None])
            alpha = torch.rand(len(real), 1, 1, 1)
            mixed = (alpha * real + (1 - alpha) * fake.detach()).requires_grad_(True)
            score = critic(mixed)
            slope = torch.autograd.grad(score, mixed, torch.ones_like(score), create_graph=True)[0]
            penalty = ((slope.view(len(real), -1).norm(2, dim=1) - 1) ** 2).mean()
            loss_critic = critic(s.for_d(fake)).mean() - critic(real).mean() + weight * penalty
            s.zero("d", opt_critic)
            loss_critic.backward()
            opt_critic.step()
        for _ in s.g_turns():
            loss_gen = -critic(s.for_g(generator(s.latents(b, 64)[:, :, None, None]))).mean()
            s.zero("g", opt_gen)
            loss_gen.backward()
            opt_gen.step()
        monitor.log(loss_d=loss_critic.item(), loss_g=loss_gen.item())
    monitor.close()


def spectral_hinge(s: Setting) -> None:
    """Hinge loss and spectral norm, two steps of D."""
    images, b = s.images, 32
    G = ConvGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 16), s.last())
    D = ConvCritic(images.channels, images.size, s.width("d", 24), norm="spectral")
    s.adapt(G, D)
    make = lambda p, lr: torch.optim.Adam(p, lr, betas=(0.0, 0.9))  # noqa: E731
    opt_g, opt_d = s.optimizers(make, 2e-4, 2e-4)(G, D)
    monitor = s.watch(G, D, opt_g, opt_d, lambda n: G(s.latents(n, 64)[:, :, None, None]))
    while s.going_on():
        for _ in s.d_turns(2):
            x, _labels = s.reals(b)
            with torch.set_grad_enabled(s.change.detach == "forgotten"):
                fake = G(s.latents(len(x), 64)[:, :, None, None])
            loss_d = relu(1 - D(x)).mean() + relu(1 + D(s.for_d(fake))).mean()
            s.zero("d", opt_d)
            loss_d.backward()
            opt_d.step()
        for _ in s.g_turns():
            loss_g = -D(s.for_g(G(s.latents(b, 64)[:, :, None, None]))).mean()
            s.zero("g", opt_g)
            loss_g.backward()
            opt_g.step()
        monitor.log(loss_d=loss_d.item(), loss_g=loss_g.item())
    monitor.close()
