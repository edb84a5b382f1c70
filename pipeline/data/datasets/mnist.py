"""MNIST: 70,000 handwritten digits, 28×28 grey values, 10 classes, white on black.

    rows 0 .. 59,999         training images    train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz
    rows 60,000 .. 69,999    test images        t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz
    label                    the digit

Each part is in the order of its file. There are no ground-truth factors. The files are gzipped IDX
(``pipeline/data/files/idx.py``). ``split: official`` holds the test images out; ``validation_fraction`` is
then drawn from the training images, as a fraction of all 70,000.

Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11):2278-2324, 1998, https://doi.org/10.1109/5.726791.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.data.arrays.dataset import About, Prepared
from pipeline.data.files.download import fetch_files
from pipeline.data.shared import mnist

__all__ = ["ABOUT", "Options", "fetch", "prepare"]

# The home page comes last: others report that it no longer serves the files (not tried here), and waiting for
# it is slow. The sha256 are those that TensorFlow Datasets pins for the first address; torchvision pins md5s
# for the second.
FILES = mnist.files(
    (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    (
        ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
        ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
        ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
        ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
    ),
)

ABOUT = About(
    title="MNIST",
    what="70,000 handwritten digits, white on black, 28×28 grey values, in 10 classes.",
    source="http://yann.lecun.com/exdb/mnist/",
    licence="Yann LeCun and Corinna Cortes hold the copyright of MNIST dataset, which is a derivative work "
    "from original NIST datasets. MNIST dataset is made available under the terms of the Creative Commons "
    "Attribution-Share Alike 3.0 license. (in the words of Keras' documentation)",
    citation='Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document '
    'recognition", Proceedings of the IEEE 86(11):2278-2324, 1998, https://doi.org/10.1109/5.726791',
    labels=tuple("0123456789"),
    files=FILES,
)


class Options(mnist.MnistOptions):
    """``datasets.mnist`` in params.yaml."""


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
