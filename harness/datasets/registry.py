"""Where data sets come from: address, size, checksum, licence. Data, no code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One file that can be fetched. `bytes` and `sha256` are None where they are not known: then
    the first fetch records them beside the file, and the content is checked after reading."""

    name: str
    title: str
    filename: str
    url: str | None
    licence: str
    page: str
    bytes: int | None = None
    sha256: str | None = None
    note: str = ""


HAR_LICENCE = (
    "UCI landing page: CC BY 4.0 (DOI 10.24432/C54S4K). The README inside the archive is older and "
    "stricter: cite the paper (Anguita et al., ESANN 2013), 'distributed AS-IS ... Any commercial "
    "use is prohibited'."
)

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
)

SOURCES: dict[str, Source] = {
    "digits": Source(
        name="digits",
        title="Optical recognition of handwritten digits, 8x8",
        filename="",
        url=None,
        licence="CC BY 4.0 (UCI, DOI 10.24432/C50P49); the copy shipped with scikit-learn (BSD)",
        page="https://scikit-learn.org/stable/datasets/toy_dataset.html",
        note="shipped with scikit-learn, nothing to fetch",
    ),
    "har6": _HAR,
    "har2": Source(
        name="har2",
        title="UCI HAR in two classes, as in the FastGRNN paper (arXiv:1901.02358)",
        filename=_HAR.filename,
        url=_HAR.url,
        licence=_HAR.licence,
        page=_HAR.page,
        note=_HAR.note,
    ),
}
