"""`headstart export`: a saved model as one graph for other runtimes, with the proof that it answers the same."""

from __future__ import annotations

from pathlib import Path

import click

from headstart.cli.options import Place, ShareType


@click.command("export")
@click.argument("model", type=Place())
@click.option(
    "-o",
    "--output",
    type=Place(),
    required=True,
    help="model.onnx, model.xml, model.pt2, model.tflite, model.mlpackage, or a folder for --to web and for models of "
    "texts.",
)
@click.option(
    "--to",
    type=click.Choice(["onnx", "openvino", "torch", "litert", "coreml", "web"]),
    help="onnx for ONNX Runtime and most others, openvino for OpenVINO's IR, torch for a torch.export program (needs "
    "headstart[finetune]), litert and coreml for phones (need their converters too, and take squares), web for a page "
    "that runs in the browser; default: by the ending of -o.",
)
@click.option(
    "--precision",
    type=click.Choice(["f32", "bf16", "f16"]),
    default="f32",
    show_default=True,
    help="f16 stores half precision and computes in single; bf16 computes in bfloat16, on OpenVINO.",
)
@click.option(
    "--check",
    "images",
    multiple=True,
    help="Images (files, folders, globs) to compare with, besides the golden images in the bundle. Of a model of texts "
    "always needed: a table or file of texts, because none is kept with a model.",
)
@click.option(
    "--max-error",
    type=ShareType(1e-4, 0.5),
    help="The guarantee behind the output 'decision', such as 2%; default: what the model was trained with.",
)
@click.option(
    "--web-runtime",
    type=Place(),
    help="For --to web, the first time: the archive that 'npm pack onnxruntime-web@1.30.0' fetches (14 MB of it are "
    "used, and kept).",
)
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    output: Path,
    to: str | None,
    precision: str,
    images: tuple[str, ...],
    max_error: float | None,
    web_runtime: Path | None,
    overwrite: bool,
) -> None:
    """Write the saved MODEL as one graph: pixels of any size in, calibrated probabilities and decisions out.

    Of a model of texts pieces go in, and the tokeniser is put beside the graph. Of boxes and masks come boxes after
    suppression, or a class map; ONNX alone, and --check is needed.

    The exported file is run beside the model and written only where both answer the same. Needs headstart[export].
    """
    from headstart.cli import show, spatial_export
    from headstart.model.export.formats import SUFFIXES
    from headstart.model.open import find_spatial
    from headstart.verbs.export import export
    from headstart.verbs.export_place import ExportResult

    detector = find_spatial(model)
    if detector is not None:
        spatial_export.export(ctx, detector, locals())
        return
    to = to or next((form for form, suffix in SUFFIXES.items() if output.suffix == suffix), "web")
    result = export(
        model,
        output,
        to=to,
        precision=precision,
        check=images or None,
        max_error=max_error,
        web_runtime=web_runtime,
        overwrite=overwrite,
    )
    assert isinstance(result, ExportResult)
    show.lines(
        [
            ("exported", f"{result.path} ({result.bytes / 1e6:.1f} MB): {', '.join(result.outputs)}"),
            *parity_lines(result.parity.checks),
        ]
    )
    for note in result.notes:
        show.note(note)
    if to == "openvino" and precision == "bf16":
        show.note(
            "Compile the model with INFERENCE_PRECISION_HINT bf16, which is OpenVINO's default where there is one."
        )
    elif to == "openvino":
        show.note(
            "OpenVINO computes in bfloat16 by default where a processor has it, which moves probabilities by about a "
            "hundredth: compile the model with INFERENCE_PRECISION_HINT f32."
        )


def parity_lines(checks: object) -> list[tuple[str, str]]:
    """The comparisons in words, a line each."""
    from headstart.model.export.parity import Check

    lines: list[tuple[str, str]] = []
    for check in checks if isinstance(checks, tuple) else ():
        assert isinstance(check, Check)
        same = f"{check.same_labels:,} of {check.images:,} labels the same"
        words = f"{check.runtime}, {check.kind}: {same}, probabilities within {check.largest:.1g}"
        if check.kind == "files":
            words = f"{check.runtime}, files decoded whole: {same}, probabilities within {check.largest:.1g}"
            if check.accuracy is not None:
                words += f", right {100 * check.accuracy[1]:.1f} % (the model {100 * check.accuracy[0]:.1f} %)"
        fault = f"; worst: {check.worst}" if check.precision != "f32" and check.largest > 0 else ""
        fault = fault if check.passed else f" — TOO FAR; worst: {check.worst}"
        lines.append(("" if lines else "proof", words + fault))
    return lines
