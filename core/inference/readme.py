"""README.txt beside an exported model: what it is and how to use it without Bedside."""

from __future__ import annotations

import textwrap

from core.inference.card import NOTICE, ONNX_FILE, WEIGHTS_FILE, ModelCard
from core.types import Task

WIDTH = 88


def readme_text(card: ModelCard) -> str:
    """The whole file, in plain words."""
    sections = [
        (f"{card.title}: a small image classifier", _what(card)),
        ("Classes and thresholds", _classes(card)),
        ("Preparing a picture, step by step", _preparation(card)),
        ("Running it", _running(card)),
        ("Licences", _licences(card)),
        ("Files", _files(card)),
    ]
    return "\n\n".join(f"{title}\n{'=' * len(title)}\n{body}" for title, body in sections) + "\n"


def _what(card: ModelCard) -> str:
    taught = (
        f"taught by {card.teacher.title} (method '{card.method}')"
        if card.teacher
        else f"trained without a teacher (method '{card.method}')"
    )
    start = " It started from weights of another training." if card.initial_weights else ""
    data = (
        "SYNTHETIC IMAGES. It was trained on computer-made pictures and says nothing about "
        "patients."
        if card.synthetic
        else "It was trained on one collection of images. It may be wrong on images from other "
        "scanners, other hospitals or other patients, and it answers even when the picture shows "
        "something it has never seen."
    )
    return "\n\n".join(
        [
            NOTICE.upper(),
            _wrap(
                f"This model gives {_answer(card)}. It is a {card.title} network, {taught}, "
                f"written by Bedside {card.bedside_version} in run {card.run}.{start}"
            ),
            _wrap(data),
            _wrap(
                "Its probabilities are not recalibrated: 0.8 does not promise that 8 of 10 such "
                "pictures are right. It is no medical device. How good it was, with intervals, "
                "stands in the report of the run."
            ),
        ]
    )


def _answer(card: ModelCard) -> str:
    if card.task is Task.MULTICLASS:
        return f"one probability for each of {len(card.classes)} classes, which add up to 1"
    return f"one probability for each of {len(card.classes)} findings, each on its own"


def _classes(card: ModelCard) -> str:
    lines = [
        f"{place}. {' '.join(name.split())}: "
        + (
            f"found from {card.thresholds[name]:.4f} on"
            if name in card.thresholds
            else "no threshold"
        )
        for place, name in enumerate(card.classes, start=1)
    ]
    note = (
        "In the order of the outputs. A threshold was chosen on the validation images, before the "
        "test images were opened; it is the probability from which on the class counts as found."
    )
    return "\n".join([*lines, "", _wrap(note)])


def _preparation(card: ModelCard) -> str:
    steps = [*_reading_steps(card), *_sizing_steps(card)]
    return "\n".join(
        textwrap.fill(step, WIDTH, initial_indent=f"{place}. ", subsequent_indent="   ")
        for place, step in enumerate(steps, start=1)
    )


def _reading_steps(card: ModelCard) -> list[str]:
    window = card.pixels.window
    chosen = (
        f"Use the window with center {window.center:g} and width {window.width:g} for every image "
        "(LINEAR_EXACT, PS3.3 C.11.2.1.3): (value - center) / width + 0.5, clipped to [0, 1]."
        if window
        else "Apply the VOI table of the file or, failing that, its first valid window with the "
        "file's function. If there is none: up to 8 bits, map the whole stored range to [0, 1]; "
        "above, map the percentiles 0.5 to 99.5 of the picture's values (without padding) to "
        "[0, 1] and clip."
    )
    return [
        "PNG, JPEG, TIFF, BMP: decode, turn as the EXIF orientation says, put transparent parts on "
        "black, and divide by the largest value of the type (255 or 65535; 4095 if a 16-bit grey "
        "picture holds nothing above it).",
        "DICOM: decode the stored values (remove unused bits, mind the sign), apply the modality "
        f"table or slope and intercept. {chosen} Then invert MONOCHROME1, last, and set pixel "
        "padding to 0.",
        "A picture whose red, green and blue are equal counts as grey. "
        + (
            "This model takes grey pictures only."
            if card.channels == 1
            else "Repeat a grey picture for the three channels."
        ),
    ]


def _sizing_steps(card: ModelCard) -> list[str]:
    side = card.pixels.size_px
    if card.pixels.fit == "pad":
        fit = (
            f"Resize so that the longer side is {side} pixels, keeping the aspect ratio, and pad "
            f"with black to {side} x {side}, the picture in the middle (an odd row or column of "
            "padding goes below or to the right)."
        )
    else:
        fit = f"Resize to {side} x {side}, whatever the aspect ratio."
    steps = [
        fit + " Resizing is Pillow's Image.resize with Resampling.BILINEAR (bilinear with "
        "antialiasing). Round to 8 bits if the file had up to 8, else to 16, and divide by 255 or "
        "65535 again.",
    ]
    if card.image_px != side:
        steps.append(
            f"Resize to {card.image_px} x {card.image_px}: torch.nn.functional.interpolate with "
            "mode='bilinear', antialias=True, align_corners=False."
        )
    steps.append(
        f"Arrange as [N, {card.channels}, {card.image_px}, {card.image_px}], 32-bit floating "
        "point, values in [0, 1]."
    )
    return steps


def _running(card: ModelCard) -> str:
    answer = "softmax over the classes" if card.task is Task.MULTICLASS else "sigmoid"
    arguments = ", ".join(f"{name}={value!r}" for name, value in card.options.items())
    return "\n".join(
        [
            _wrap(
                f"{ONNX_FILE} takes that picture as 'image' and gives 'logits' and "
                "'probabilities'. Normalisation is inside."
            ),
            "",
            "    import onnxruntime",
            f'    session = onnxruntime.InferenceSession("{ONNX_FILE}")',
            '    probabilities = session.run(["probabilities"], {"image": picture})[0]',
            "",
            _wrap(
                f"{WEIGHTS_FILE} holds the same weights under timm's names. Repeat a grey picture "
                f"for three channels, subtract {_numbers(card.mean)} and divide by "
                f"{_numbers(card.std)}, channel by channel; the answer is the {answer}."
            ),
            "",
            "    import timm",
            "    from safetensors.torch import load_file",
            "    network = timm.create_model(",
            f'        "{card.architecture}", {arguments}',
            "    )",
            f'    network.load_state_dict(load_file("{WEIGHTS_FILE}"))',
            "    network.eval()",
        ]
    )


def _licences(card: ModelCard) -> str:
    network = "The network's code is timm's (Apache-2.0)."
    if card.teacher is None:
        return _wrap(network)
    cite = f" Please cite: {card.teacher.citation}." if card.teacher.citation else ""
    day = card.teacher.licence_accepted
    accepted = f" Accepted on {day[:10]}." if day else ""
    return _wrap(
        f"Teacher: {card.teacher.title}, licence {card.teacher.licence}. "
        f"{card.teacher.licence_note}{accepted}{cite} {network}"
    )


def _files(card: ModelCard) -> str:
    known = {
        ONNX_FILE: "the model for ONNX Runtime",
        WEIGHTS_FILE: "the model's weights for PyTorch",
    }
    lines = [f"{name}: {known[name]}\n   sha256 {card.files[name]}" for name in sorted(card.files)]
    lines.append("model.json: all of the above for programs")
    lines.append("parity.json: how far the two files' answers differed when they were written")
    return "\n".join(lines)


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH)
