"""Where data sets come from: addresses, sizes, checksums, licences. Data, no code."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class RemoteFile:
    """One of several files of a data set; md5 is of the file as it is served."""

    filename: str
    url: str
    bytes: int | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Source:
    """Where a data set comes from and what its files are called.

    `bytes`, `sha256` and `md5` are None where they are not known: then the first fetch records them
    beside the file, and the content is checked after reading.

    Fields
        filename   the file that `fetch` makes, relative to a data folder; '' = nothing to fetch
        url        None = cannot be fetched; `note` says why
        files      for a set of several files, instead of `filename` and `url`
        places     where the set is read from, relative to a data folder: files or folders, the
                   first that is there. () = it needs no file
        stem       the set whose files these are, when several names share them; '' = its own
        text       a text corpus (`load_text`), not windows (`load`)
    """

    name: str
    title: str
    filename: str
    url: str | None
    licence: str
    page: str
    bytes: int | None = None
    sha256: str | None = None
    note: str = ""
    files: tuple[RemoteFile, ...] = ()
    places: tuple[str, ...] = ()
    stem: str = ""
    text: bool = False


HAR_LICENCE = (
    "UCI landing page: CC BY 4.0 (DOI 10.24432/C54S4K). The README inside the archive is older and "
    "stricter: cite the paper (Anguita et al., ESANN 2013), 'distributed AS-IS ... Any commercial "
    "use is prohibited'."
)
DIGITS_LICENCE = "CC BY 4.0 (UCI, DOI 10.24432/C50P49); the copy shipped with scikit-learn (BSD)"
DSA_LICENCE = "UCI landing page: CC BY 4.0 (DOI 10.24432/C5C59F); cite Altun, Barshan, Tuncel 2010"
MNIST_LICENCE = (
    "Y. LeCun, C. Cortes; commonly given as CC BY-SA 3.0 (the original page names no licence)"
)
SPEECH_LICENCE = "Google, CC BY 4.0; cite P. Warden, 'Speech Commands', arXiv:1804.03209"
PTB_LICENCE = "not open: Wall Street Journal text, LDC User Agreement (LDC99T42); do not pass it on"

_HAR = Source(
    name="har6",
    title="UCI Human Activity Recognition Using Smartphones, inertial signals",
    filename="UCI HAR Dataset.zip",
    url="https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip",
    licence=HAR_LICENCE,
    page="https://archive.ics.uci.edu/dataset/240/human+activity+recognition+using+smartphones",
    note="size and checksum unknown: recorded on first fetch in 'UCI HAR Dataset.zip.sha256'; "
    "shapes and labels are checked after reading. The inner 'UCI HAR Dataset.zip' had 60,999,314 "
    "bytes in a public download log of 2017",
    places=("har6/har6.npz", "har6.npz", "UCI HAR Dataset.zip", "har6/UCI HAR Dataset.zip"),
)

_DSA_ZIP = "daily+and+sports+activities.zip"

# The md5 are torchvision's, and the ones long published for the gz files of the original page.
_MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_MNIST_FILES = tuple(
    RemoteFile(f"mnist/{name}", _MNIST_URL + name, size, md5)
    for name, size, md5 in (
        ("train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    )
)
# The original names; some tools unpack `train-images-idx3-ubyte` as `train-images.idx3-ubyte`.
MNIST_FORMS = ("{}-{}-{}-ubyte.gz", "{}-{}-{}-ubyte", "{}-{}.{}-ubyte")

_SPEECH = Source(
    name="google12",
    title="Speech Commands v0.01 in twelve classes: ten words, background, unknown",
    filename="speech_commands_v0.01.tar.gz",
    url="https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.01.tar.gz",
    licence=SPEECH_LICENCE,
    page="https://arxiv.org/abs/1804.03209",
    sha256="743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",  # torchaudio's
    note="about 1.5 GB; the unpacked folder speech_commands_v0.01 will do as well",
    places=(
        "speech_commands_v0.01.tar.gz",
        "speech_commands_v0.01",
        "speech_commands/speech_commands_v0.01.tar.gz",
        "speech_commands/speech_commands_v0.01",
    ),
    stem="speech",
)

SOURCES: dict[str, Source] = {
    "digits": Source(
        name="digits",
        title="Optical recognition of handwritten digits, 8x8, row by row",
        filename="",
        url=None,
        licence=DIGITS_LICENCE,
        page="https://scikit-learn.org/stable/datasets/toy_dataset.html",
        note="shipped with scikit-learn, nothing to fetch",
    ),
    "pixel-digits": Source(
        name="pixel-digits",
        title="Optical recognition of handwritten digits, 8x8, pixel by pixel",
        filename="",
        url=None,
        licence=DIGITS_LICENCE,
        page="https://scikit-learn.org/stable/datasets/toy_dataset.html",
        note="shipped with scikit-learn, nothing to fetch",
    ),
    "har6": _HAR,
    "har2": replace(
        _HAR,
        name="har2",
        title="UCI HAR in two classes, as in the FastGRNN paper (arXiv:1901.02358)",
        stem="har6",
    ),
    "dsa19": Source(
        name="dsa19",
        title="UCI Daily and Sports Activities: 19 activities, 8 people, 5 units of 9 sensors",
        filename=_DSA_ZIP,
        url=f"https://archive.ics.uci.edu/static/public/256/{_DSA_ZIP}",
        licence=DSA_LICENCE,
        page="https://archive.ics.uci.edu/dataset/256/daily+and+sports+activities",
        note="size and checksum unknown: recorded on first fetch; number, names and shapes of the "
        "9,120 segments are checked after reading",
        places=("dsa19/dsa19.npz", "dsa19.npz", _DSA_ZIP, f"dsa19/{_DSA_ZIP}"),
    ),
    "pixel-mnist": Source(
        name="pixel-mnist",
        title="MNIST, pixel by pixel",
        filename="mnist",
        url=_MNIST_URL,
        licence=MNIST_LICENCE,
        page="https://www.tensorflow.org/datasets/catalog/mnist",
        files=_MNIST_FILES,
        places=tuple(
            folder + form.format("train", "images", "idx3")
            for folder in ("mnist/", "pixel-mnist/", "")
            for form in MNIST_FORMS
        ),
    ),
    "google12": _SPEECH,
    "google30": replace(_SPEECH, name="google30", title="Speech Commands v0.01, all 30 words"),
    "ptb": Source(
        name="ptb",
        title="Penn Treebank, Mikolov's word-level text, 10,000 words",
        filename="ptb",
        url=None,
        licence=PTB_LICENCE,
        page="https://catalog.ldc.upenn.edu/LDC99T42",
        note="under a licence that forbids passing it on: put your own ptb.train.txt, "
        "ptb.valid.txt and ptb.test.txt (or .gz) into the folder ptb/",
        places=("ptb/ptb.train.txt.gz", "ptb/ptb.train.txt", "ptb.train.txt.gz", "ptb.train.txt"),
        text=True,
    ),
}
