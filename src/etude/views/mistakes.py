"""What a trained network gets wrong on its test images."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etude.errors import EtudeError
from etude.train.run import Run
from etude.train.shares import between, interval
from etude.views.view import Calibration, Confusion, Photo, Photos, Table, Text, View
from etude.wording import percent

if TYPE_CHECKING:
    from etude.train.answers import Answers

PHOTOS = 24  # of the surest mistakes
LARGEST = 10  # classes whose confusions fit side by side on a terminal


def with_mistakes(view: View, run: Run, say: Callable[[str], None]) -> View:
    """The view of a run, its curves, and what it gets wrong; or why that cannot be seen."""
    from etude.train.answers import of_run

    try:
        mistakes = mistakes_view(of_run(run, say))
    except EtudeError as error:
        return replace(view, parts=(*view.parts, Text(f"What it gets wrong cannot be seen: {error}")))
    return replace(view, parts=(*view.parts, mistakes), plain={**view.plain, "mistakes": mistakes.plain})


def mistakes_view(found: "Answers") -> View:
    """Accuracy, by class too; which class is taken for which; how sure it is and how often right; and the surest mistakes."""
    counts, right, count = found.counts(), int(found.right.sum()), len(found.labels)
    by_class = [class_row(found.classes, counts, index) for index in range(len(found.classes)) if sum(counts[index])]
    parts = (
        Text(f"{count - right:,} of {count:,} test images wrong: {share(right, count)} right. Intervals are Wilson's, of 95 %."),
        Table(("class", "images", "right", "95 % interval", "taken for"), tuple(row_of(row) for row in by_class), (1, 2)),
        *confusions(found.classes, counts),
        *calibration(found),
        *surest(found),
    )
    plain = {
        "images": count,
        "right": right,
        "interval": list(interval(right, count)),
        "classes": by_class,
        "confusion": counts,
        "calibration_error": found.calibration_error(),
        "calibration": [{"sure": sure, "right": hit, "images": images} for sure, hit, images in found.bins()],
        "surest_mistakes": [mistake(found, index) for index in found.surest_mistakes(PHOTOS)],
    }
    return View("What it gets wrong", "", parts, plain)


def share(right: int, count: int) -> str:
    """78.8 % (76.2 to 81.2 %)."""
    return f"{percent(right / count, 1)} ({between(right, count)})"


def class_row(classes: tuple[str, ...], counts: list[list[int]], index: int) -> dict[str, Any]:
    row, right = counts[index], counts[index][index]
    others = sorted(((many, classes[at]) for at, many in enumerate(row) if many and at != index), key=lambda pair: (-pair[0], pair[1]))
    taken = {name: many for many, name in others}
    return {"class": classes[index], "images": sum(row), "right": right, "interval": list(interval(right, sum(row))), "taken_for": taken}


def row_of(row: dict[str, Any]) -> tuple[str, ...]:
    taken = ", ".join(f"{name} {many:,}" for name, many in [*row["taken_for"].items()][:3])
    return row["class"], f"{row['images']:,}", percent(row["right"] / row["images"], 1), between(row["right"], row["images"]), taken


def confusions(classes: tuple[str, ...], counts: list[list[int]]) -> tuple[Text | Table | Confusion, ...]:
    """The whole of it, in numbers where there is room."""
    drawn = Confusion(classes, tuple(map(tuple, counts)))
    if len(classes) > LARGEST:
        return Text("Which class (a row) was taken for which (a column)."), drawn
    short = tuple(name[:7] for name in classes)
    rows = tuple((name, *(f"{many:,}" for many in row)) for name, row in zip(classes, counts, strict=True))
    right = tuple(range(1, len(classes) + 1))
    return Text("Which class (a row) was taken for which (a column):"), Table(("is", *short), rows, right), drawn


def calibration(found: "Answers") -> tuple[Text, Table, Calibration]:
    sure, right = float(found.probabilities.max(1).values.mean()), float(found.right.double().mean())
    error = percent(found.calibration_error(), 1)
    text = f"It is sure to {percent(sure, 1)} on average and right in {percent(right, 1)}; calibration error {error} (ECE)."
    rows = tuple(
        (percent(sure, 1), percent(hit, 1), between(round(hit * images), images), f"{images:,}") for sure, hit, images in found.bins()
    )
    return Text(text), Table(("sure", "right", "95 % interval", "images"), rows, (0, 1, 3)), Calibration(tuple(found.bins()))


def surest(found: "Answers") -> tuple[Text | Table | Photos, ...]:
    wrong = found.surest_mistakes(PHOTOS)
    if not wrong:
        return (Text("It is wrong about no image."),)
    mistakes = [mistake(found, index) for index in wrong]
    photos = tuple(
        Photo(found.picture(index).numpy(), f"{number}  {row['said']}, is {row['is']}")
        for number, (index, row) in enumerate(zip(wrong, mistakes, strict=True), start=1)
    )
    rows = tuple(
        (str(number), row["image"], row["is"], row["said"], percent(row["sure"], 1), percent(row["sure_of_right"], 1))
        for number, row in enumerate(mistakes, start=1)
    )
    columns = ("", "image", "is", "said", "sure", "of the right one")
    return Text("The images about which it is most surely wrong:"), Photos(photos), Table(columns, rows, (0, 4, 5), breaks=1)


def mistake(found: "Answers", index: int) -> dict[str, Any]:
    label, said = int(found.labels[index]), int(found.said[index])
    of_right = float(found.probabilities[index, label])
    sure = float(found.probabilities[index, said])
    return {"image": found.name(index), "is": found.classes[label], "said": found.classes[said], "sure": sure, "sure_of_right": of_right}
