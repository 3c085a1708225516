"""The files that the Hub shows and reads beside the weights: README.md and config.json."""

import json
from typing import Any

from etude.export.card import Card
from etude.version import VERSION
from etude.wording import size

PAGE = """\
---
{front}
---

# {title}

`{network}` as Etude has it: {about}.

| | |
| --- | --- |
{rows}

```python
import etude

network = etude.load("model.safetensors")   # normalises by itself
logits = network(images)                    # N×{size}, bytes or pixels from 0 to 1
names = [network.classes[index] for index in logits.argmax(1)]
```

{scaled}; {normalisation}
"""
MOST_CLASSES = 20


def hub_config(card: Card) -> dict[str, Any]:
    """What programs read: the network, its image and its classes."""
    images = card.images
    return {
        "architecture": card.network.name,
        "library_name": "etude",
        "etude_version": VERSION,
        "options": dict(card.built.options),
        "num_classes": len(images.classes),
        "input_size": list(card.trained.image),
        "image_mean": images.mean,
        "image_std": images.std,
        "rescale_factor": 1 / 255,
        "resample": "bilinear",
        **({"shortest_edge": card.trained.shorter, "crop_size": card.trained.image[1]} if card.trained.shorter else {}),
        "id2label": {str(index): name for index, name in enumerate(images.classes)},
        "label2id": {name: index for index, name in enumerate(images.classes)},
        "weights": card.weights,
        "record": dict(card.record),
        "license": card.licence or None,
    }


def hub_page(card: Card) -> str:
    """What people read."""
    front = ["library_name: etude", "pipeline_tag: image-classification", "tags:", "- image-classification"]
    parameters = sum(parameter.numel() for parameter in card.trained.module.parameters())
    rows = {
        "weights": card.weights,
        "parameters": f"{parameters:,}",
        "image": size(card.trained.image),
        "classes": in_short(card.images.classes),
        "departs from its paper in": "; ".join(card.network.row.departures) or "nothing",
        "licence": card.licence or "not stated: ask whoever trained it",
    }
    return PAGE.format(
        front="\n".join([*([f"license: {card.licence}"] if card.licence else []), *front]),
        title=str(card.network),
        network=card.network,
        about=card.network.row.about,
        rows="\n".join(f"| {name} | {text.replace('|', '/')} |" for name, text in rows.items()),
        size=size(card.trained.image),
        scaled=scaled(card),
        normalisation=normalisation(card),
    )


def in_short(classes: tuple[str, ...]) -> str:
    more = f" and {len(classes) - MOST_CLASSES} more" if len(classes) > MOST_CLASSES else ""
    return f"{len(classes)}: {', '.join(classes[:MOST_CLASSES])}{more}"


def scaled(card: Card) -> str:
    """How an image is made as large as the network wants it, in a sentence."""
    _, height, width = card.trained.image
    if not card.trained.shorter:
        return f"An image is scaled to {height}×{width}, bilinearly and whatever its proportions"
    shorter = f"{card.trained.shorter} pixels on its shorter side"
    return f"An image is scaled bilinearly to {shorter}, and the middle {height}×{width} of it taken"


def normalisation(card: Card) -> str:
    """In a sentence."""
    mean, std = card.images.mean, card.images.std
    subtracted = "a mean image (in config.json)" if isinstance(mean[0], list) else json.dumps(mean)
    return f"of its pixels from 0 to 1 {subtracted} is subtracted, and they are divided by {json.dumps(std)}."
