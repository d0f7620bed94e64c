"""Loops whose networks are given more than noise and images: classes, or another image."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn.functional import l1_loss

from population.networks import ConvCritic, ConvGenerator, ImageToImage, PatchDiscriminator, coarse, tutorial_weights
from population.setting import Setting

__all__ = ["conditional", "image_to_image"]

adam = partial(torch.optim.Adam, betas=(0.5, 0.999))


def conditional(s: Setting) -> None:
    """A class for each image, embedded in G and as a plane in D."""
    images, b, classes = s.images, 32, max(2, s.images.classes)
    G = ConvGenerator(s.z_dim(64), images.channels, images.size, s.width("g", 16), s.last(), classes)
    D = ConvCritic(images.channels, images.size, s.width("d", 16), classes=classes)
    s.adapt(G, D)
    opt_g, opt_d = s.optimizers(lambda p, lr: adam(p, lr), 2e-4, 2e-4)(G, D)
    monitor = s.watch(G, D, opt_g, opt_d, lambda n: G(s.latents(n, 64), torch.arange(n) % classes))
    criterion = nn.BCEWithLogitsLoss()
    while s.going_on():
        for _ in s.d_turns(1):
            real, labels = s.reals(b)
            n = len(real)
            fake = G(s.latents(n, 64), labels)
            s.zero("d", opt_d)
            loss_d = criterion(D(real, labels), s.targets(n, True)) + criterion(
                D(s.for_d(fake), labels), s.targets(n, False)
            )
            loss_d.backward(retain_graph=s.change.detach == "forgotten")
            opt_d.step()
        for _ in s.g_turns():
            wanted = torch.randint(classes, (n,))
            s.zero("g", opt_g)
            loss_g = s.loss_of_g(D(s.for_g(G(s.latents(n, 64), wanted)), wanted))
            loss_g.backward()
            opt_g.step()
        monitor.log(loss_d=loss_d.item(), loss_g=loss_g.item())
    monitor.close()


def image_to_image(s: Setting) -> None:
    """A U-net that makes images of coarse ones, as pix2pix: a patch D on pairs, and the absolute error."""
    images, b = s.images, 16
    netG = ImageToImage(images.channels, s.width("g", 16), s.last())
    netD = PatchDiscriminator(images.channels, s.width("d", 16))
    netG.apply(tutorial_weights)
    netD.apply(tutorial_weights)
    s.adapt(netG, netD)
    optG, optD = s.optimizers(lambda p, lr: adam(p, lr), 2e-4, 2e-4)(netG, netD)
    monitor = s.watch(netG, netD, optG, optD, lambda n: netG(coarse(s.images.pixels[:n].float() / 127.5 - 1)))
    criterion = nn.BCEWithLogitsLoss()
    while s.going_on():
        for _ in s.d_turns(1):
            target, _labels = s.reals(b)
            given = coarse(target)
            made = netG(given)
            s.zero("d", optD)
            on_fake, on_real = netD(given, s.for_d(made)), netD(given, target)
            loss_d = 0.5 * (
                criterion(on_fake, s.targets(len(target), False)[:, None, None, None].expand_as(on_fake))
                + criterion(on_real, s.targets(len(target), True)[:, None, None, None].expand_as(on_real))
            )
            loss_d.backward(retain_graph=s.change.detach == "forgotten")
            optD.step()
        for _ in s.g_turns():
            made = netG(given)
            s.zero("g", optG)
            score = netD(given, s.for_g(made))
            wanted = s.target_for_g(len(target))[:, None, None, None].expand_as(score)
            adversarial = -criterion(score, 1 - wanted) if s.change.saturating else criterion(score, wanted)
            loss_g = adversarial + 20 * l1_loss(made, target)
            loss_g.backward()
            optG.step()
        monitor.log(loss_d=loss_d.item(), loss_g=loss_g.item())
    monitor.close()
