"""`ganglion export`: a trained generator as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ganglion.cli.options import Checkpoint, with_ending

__all__ = ["export"]

OPSET = 18  # the one of exporting/onnx_file.py, which is not loaded for the help

ENDINGS = {
    "--onnx": (".onnx",), "--torchscript": (".pt", ".ts"), "--torch-export": (".pt2",),
    "--safetensors": (".safetensors",), "--script": (".py",),
}  # fmt: skip


def export(
    run: Annotated[
        Path, typer.Argument(help="A run folder, or a FILE.safetensors of an earlier export.", show_default=False)
    ],
    onnx: Annotated[Path | None, typer.Option(help="FILE.onnx: for any program that runs ONNX.")] = None,
    torchscript: Annotated[Path | None, typer.Option(help="FILE.pt: for torch.jit.load, also in C++.")] = None,
    torch_export: Annotated[Path | None, typer.Option(help="FILE.pt2: for torch.export.load.")] = None,
    safetensors: Annotated[
        Path | None, typer.Option(help="FILE.safetensors: for ganglion.load, without the run folder.")
    ] = None,
    web: Annotated[Path | None, typer.Option(help="FOLDER for a page that runs the generator in a browser.")] = None,
    script: Annotated[
        Path | None, typer.Option(help="FILE.py: a short program that draws an image from the ONNX file.")
    ] = None,
    discriminator: Annotated[
        bool, typer.Option("--discriminator", help="D too: in FILE-discriminator, and in FILE.safetensors.")
    ] = False,
    output: Annotated[
        str, typer.Option(help="Images of the files: uint8 (N, H, W, C), or float (N, C, H, W) in [-1, 1].")
    ] = "uint8",
    opset: Annotated[int | None, typer.Option(help=f"Version of ONNX's operators. Default: {OPSET}.")] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(help="For --web, a folder or .tgz with onnxruntime-web. Default: from the cache, or npm."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    checkpoint: Checkpoint = "best",
) -> None:
    """Export a generator as ONNX, TorchScript, torch.export, one safetensors file or a web page, compared with PyTorch."""
    from ganglion.exporting.export import export as write
    from ganglion.exporting.layers import OUTPUTS

    given = {"--onnx": onnx, "--torchscript": torchscript, "--torch-export": torch_export, "--safetensors": safetensors}
    for option, path in {**given, "--script": script}.items():
        with_ending(path, ENDINGS[option], option)
    if output not in OUTPUTS:
        raise typer.BadParameter(f"{' or '.join(OUTPUTS)}; got {output!r}", param_hint="--output")
    if runtime is not None and web is None:
        raise typer.BadParameter("it belongs to --web FOLDER, which is not given", param_hint="--runtime")
    if opset is not None and onnx is None and web is None and script is None:
        raise typer.BadParameter("it belongs to --onnx FILE, which is not given", param_hint="--opset")
    if discriminator and all(path is None for path in given.values()):
        raise typer.BadParameter("a page and a script have no D: name a file too", param_hint="--discriminator")
    chosen: Any = output
    written = write(
        run, onnx=onnx, torchscript=torchscript, torch_export=torch_export, safetensors=safetensors, web=web,
        script=script, discriminator=discriminator, output=chosen, opset=opset or OPSET, runtime=runtime,
        overwrite=overwrite, checkpoint=checkpoint,
    )  # fmt: skip
    typer.echo("\n".join(file.text() for file in written))
