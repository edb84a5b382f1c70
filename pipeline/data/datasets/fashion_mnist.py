"""Fashion-MNIST: 70,000 pictures of clothes on black, 28×28 grey values, 10 classes, in MNIST's layout.

    rows 0 .. 59,999         training images    train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz
    rows 60,000 .. 69,999    test images        t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz
    label                    0 T-shirt/top   1 Trouser   2 Pullover   3 Dress   4 Coat
                             5 Sandal   6 Shirt   7 Sneaker   8 Bag   9 Ankle boot

Each part is in the order of its file. There are no ground-truth factors. The files are gzipped IDX
(``pipeline/data/files/idx.py``). ``split: official`` holds the test images out; ``validation_fraction`` is
then drawn from the training images, as a fraction of all 70,000.

Han Xiao, Kashif Rasul, Roland Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
Learning Algorithms", 2017, arXiv:1708.07747 (MIT licence).
"""

from __future__ import annotations

from pathlib import Path

from pipeline.data.arrays.dataset import About, Prepared
from pipeline.data.files.download import fetch_files
from pipeline.data.shared import mnist

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

# Both addresses are the authors'. The sha256 are those that TensorFlow Datasets pins for the first; those of
# the labels were also computed from the second.
FILES = mnist.files(
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    (
        ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
        ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
        ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
        ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
    ),
)

ABOUT = About(
    title="Fashion-MNIST",
    what="70,000 pictures of clothes on black, 28×28 grey values, in 10 classes.",
    source="https://github.com/zalandoresearch/fashion-mnist",
    licence="The MIT License (MIT) Copyright © 2017 Zalando SE, https://tech.zalando.com",
    citation='H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine '
    'Learning Algorithms", 2017, arXiv:1708.07747',
    labels=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    files=FILES,
)


class Options(mnist.MnistOptions):
    """``datasets.fashion_mnist`` in params.yaml: the keys of mnist.

    Its files have the same names as MNIST's, so the two need different mirror folders: set ``mirror`` here.
    """


def fetch(options: Options, folder: Path) -> None:
    """Download the four files.

    Raises:
        UserError: one cannot be downloaded.
    """
    fetch_files(FILES, folder, options.mirror)


def prepare(options: Options, folder: Path) -> Prepared:
    """Images [70000, 1, 28, 28] and labels.

    Raises:
        UserError: a raw file is missing, damaged, or not in the published layout.
    """
    return mnist.prepare(options, folder, FILES, ABOUT.labels)
