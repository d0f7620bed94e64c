"""The families of networks, and the options of each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ganglion.recipe.parts import Part, choice

__all__ = [
    "Activation",
    "Conditioning",
    "CustomDiscriminator",
    "CustomGenerator",
    "DcganDiscriminator",
    "DcganGenerator",
    "Discriminator",
    "Downsampling",
    "FastganDiscriminator",
    "FastganGenerator",
    "Generator",
    "MinibatchName",
    "Norm",
    "R3ganDiscriminator",
    "R3ganGenerator",
    "ResnetDiscriminator",
    "ResnetGenerator",
    "SkipDiscriminator",
    "SkipGenerator",
    "Upsampling",
]


Activation = Literal["relu", "leaky-relu", "silu", "elu"]

Conditioning = Literal["embedding", "norm"]

MinibatchName = Literal["none", "discrimination", "stddev"]

Norm = Literal["batch", "virtual-batch", "instance", "layer", "none"]

Downsampling = Literal["strided", "averaged"]

Upsampling = Literal["transposed", "nearest", "bilinear", "sub-pixel"]

WIDTH = Field(64, ge=1, le=1024)

SLOPE = Field(0.2, ge=0, lt=1)


class DcganGenerator(Part):
    family: Literal["dcgan"] = "dcgan"
    """Family of networks: transposed convolutions, Radford et al. 2015."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 8 times this."""
    full_size_maps: int = Field(0, ge=0, le=1024)
    """Feature maps at the image's own size, from which a 3x3 convolution makes the image; 0: the last layer that doubles
    height and width makes it, as in the paper."""
    upsampling: Upsampling = "transposed"
    """How height and width are doubled: transposed convolution, nearest or bilinear enlargement before a 3x3 convolution, or
    a sub-pixel convolution."""
    kernel: Literal[4, 5] = 4
    """Side of the kernels of transposed convolutions in pixels."""
    norm: Norm = "batch"
    """Normalisation before each hidden non-linearity."""
    activation: Activation = "relu"
    """Non-linearity of the hidden layers."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    conditioning: Conditioning = "embedding"
    """How G is conditioned on the class: an embedding next to z, or scale and shift of each norm. Conditional runs only."""


class DcganDiscriminator(Part):
    family: Literal["dcgan"] = "dcgan"
    """Family of networks: strided convolutions, Radford et al. 2015."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 8 times this."""
    downsampling: Downsampling = "strided"
    """How height and width are halved: strided convolution, or a 3x3 convolution and the mean of 2x2 pixels."""
    kernel: Literal[4, 5] = 4
    """Side of the kernels of strided convolutions in pixels."""
    norm: Norm = "batch"
    """Normalisation after each hidden convolution but the first."""
    activation: Activation = "leaky-relu"
    """Non-linearity of the hidden layers."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    spectral_norm: bool = False
    """Spectral normalisation of every layer's weight, Miyato et al. 2018."""
    minibatch: MinibatchName = "none"
    """Batch statistics for D's last layer: none, minibatch discrimination, or minibatch standard deviation."""

    def block_count(self, doublings: int) -> int:
        """Number of blocks that feature matching can use: one for each halving of the image."""
        return doublings


class ResnetGenerator(Part):
    family: Literal["resnet"] = "resnet"
    """Family of networks: residual blocks, Gulrajani et al. 2017 and Miyato et al. 2018."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 4 times this."""
    norm: Norm = "batch"
    """Normalisation before each non-linearity."""
    activation: Activation = "relu"
    """Non-linearity."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    conditioning: Conditioning = "norm"
    """How G is conditioned on the class: an embedding next to z, or scale and shift of each norm. Conditional runs only."""


class ResnetDiscriminator(Part):
    family: Literal["resnet"] = "resnet"
    """Family of networks: residual blocks, Gulrajani et al. 2017 and Miyato et al. 2018."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 4 times this."""
    norm: Norm = "none"
    """Normalisation before each non-linearity but the first."""
    activation: Activation = "relu"
    """Non-linearity."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    spectral_norm: bool = False
    """Spectral normalisation of every layer's weight, Miyato et al. 2018."""
    minibatch: MinibatchName = "none"
    """Batch statistics for D's last layer: none, minibatch discrimination, or minibatch standard deviation."""

    def block_count(self, doublings: int) -> int:
        """Number of blocks that feature matching can use: one for each halving, and the last non-linearity."""
        return doublings + 1


class R3ganGenerator(Part):
    family: Literal["r3gan"] = "r3gan"
    """Family of networks: grouped convolutions in residual blocks without normalisation, Huang et al. 2025."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 4 times this."""
    blocks: int = Field(2, ge=1, le=16)
    """Residual blocks at each resolution."""
    expansion: int = Field(2, ge=1, le=8)
    """Feature maps inside a block over those between blocks."""
    group: int = Field(16, ge=1)
    """Feature maps in one group of the 3x3 convolution."""
    slope: float = SLOPE
    """Slope of leaky ReLU below zero."""


class R3ganDiscriminator(Part):
    family: Literal["r3gan"] = "r3gan"
    """Family of networks: grouped convolutions in residual blocks without normalisation, Huang et al. 2025."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 4 times this."""
    blocks: int = Field(2, ge=1, le=16)
    """Residual blocks at each resolution."""
    expansion: int = Field(2, ge=1, le=8)
    """Feature maps inside a block over those between blocks."""
    group: int = Field(16, ge=1)
    """Feature maps in one group of the 3x3 convolution."""
    slope: float = SLOPE
    """Slope of leaky ReLU below zero."""
    minibatch: MinibatchName = "none"
    """Batch statistics for D's last layer: none, minibatch discrimination, or minibatch standard deviation."""

    def block_count(self, doublings: int) -> int:
        """Number of blocks that feature matching can use: one for each resolution, and the first and last convolution."""
        return doublings + 3


class SkipGenerator(Part):
    family: Literal["skip"] = "skip"
    """Family of networks: every resolution adds to the image, Karras et al. 2020; training can begin with small images."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 8 times this."""
    upsampling: Upsampling = "transposed"
    """How height and width are doubled: transposed convolution, nearest or bilinear enlargement before a 3x3 convolution, or
    a sub-pixel convolution."""
    norm: Literal["batch", "instance", "layer", "none"] = "batch"
    """Normalisation before each hidden non-linearity."""
    activation: Activation = "relu"
    """Non-linearity of the hidden layers."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    conditioning: Conditioning = "embedding"
    """How G is conditioned on the class: an embedding next to z, or scale and shift of each norm. Conditional runs only."""


class SkipDiscriminator(Part):
    family: Literal["skip"] = "skip"
    """Family of networks: D sees the image at every resolution, Karras et al. 2020; training can begin with small images."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 8 times this."""
    activation: Activation = "leaky-relu"
    """Non-linearity of the hidden layers."""
    slope: float = SLOPE
    """Slope below zero; used by leaky-relu only."""
    minibatch: MinibatchName = "none"
    """Batch statistics for D's last layer: none, minibatch discrimination, or minibatch standard deviation."""

    def block_count(self, doublings: int) -> int:
        """Number of blocks that feature matching can use: one for each halving of the image."""
        return doublings


class FastganGenerator(Part):
    family: Literal["fastgan"] = "fastgan"
    """Family of networks: gated blocks and skip-layer excitation, Liu et al. 2021."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 16 times this."""
    norm: Literal["batch", "instance", "layer", "none"] = "batch"
    """Normalisation before each gated linear unit."""
    conditioning: Conditioning = "embedding"
    """How G is conditioned on the class: an embedding next to z, or scale and shift of each norm. Conditional runs only."""


class FastganDiscriminator(Part):
    family: Literal["fastgan"] = "fastgan"
    """Family of networks: two paths at each resolution and decoders for the penalty reconstruction, Liu et al. 2021."""
    width: int = WIDTH
    """Feature maps at the largest resolution; they double towards the smallest, up to 16 times this."""
    norm: Literal["batch", "instance", "layer", "none"] = "batch"
    """Normalisation after each convolution but the first, and in the decoders."""
    spectral_norm: bool = False
    """Spectral normalisation of every layer's weight, Miyato et al. 2018."""

    def block_count(self, doublings: int) -> int:
        """Number of blocks that feature matching can use: one for each halving of the image but the last."""
        return doublings - 1


class CustomGenerator(Part):
    family: Literal["custom"] = "custom"
    """Networks of your own: --networks FILE.py, or generator= and discriminator= of ganglion.train."""
    digest: str | None = None
    """Hash of the file, or of the structure of the module, filled in; a run goes on with the network it began with."""
    file: bool = False
    """Whether the run folder keeps the file as networks.py, filled in; otherwise the module is passed again."""


class CustomDiscriminator(Part):
    family: Literal["custom"] = "custom"
    """Networks of your own: --networks FILE.py, or generator= and discriminator= of ganglion.train."""
    digest: str | None = None
    """Hash of the file, or of the structure of the module, filled in; a run goes on with the network it began with."""
    file: bool = False
    """Whether the run folder keeps the file as networks.py, filled in; otherwise the module is passed again."""


Generator = Annotated[
    DcganGenerator | ResnetGenerator | R3ganGenerator | SkipGenerator | FastganGenerator | CustomGenerator,
    *choice("family", "dcgan"),
]

Discriminator = Annotated[
    DcganDiscriminator
    | ResnetDiscriminator
    | R3ganDiscriminator
    | SkipDiscriminator
    | FastganDiscriminator
    | CustomDiscriminator,
    *choice("family", "dcgan"),
]
