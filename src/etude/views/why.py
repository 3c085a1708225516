"""Why a network says what it says of images: where in them its answer is lost when a part is hidden."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etude.views.view import Photo, Photos, Table, Text, View
from etude.wording import percent

if TYPE_CHECKING:
    from etude.train.predict import Reason

ABOUT = (
    "A window of the image is hidden behind the mean of the training images, at every place one after the other. Where the answer loses "
    "probability, the image is covered in red; where it gains, in blue; the more, the stronger."
)


def why_view(network: str, reasons: "Sequence[Reason]") -> View:
    """Each image, and beside it where its answer comes from."""
    photos, rows, plain = list[Photo](), list[tuple[str, ...]](), []
    for number, reason in enumerate(reasons, start=1):
        found, (name, sure) = reason.occlusion, reason.prediction.top(1)[0]
        heat = (found.heat / max(float(found.heat.abs().max()), 1e-9)).numpy()
        photos += [Photo(reason.pixels, f"{number}  {name}"), Photo(reason.pixels, f"{number}  because of", heat)]
        rows.append((str(number), str(reason.prediction.image), name, percent(sure, 1), found.place, percent(found.least, 1)))
        plain.append(
            {
                "image": str(reason.prediction.image),
                "class": name,
                "probability": sure,
                "place": found.place,
                "probability_without": found.least,
                "lost": found.heat.tolist(),
            }
        )
    columns = ("", "image", "said", "sure", "because of what is", "sure without it")
    return View(f"Why {network} says so", "", (Text(ABOUT), Photos(tuple(photos)), Table(columns, tuple(rows), (0, 3, 5), breaks=1)), plain)
