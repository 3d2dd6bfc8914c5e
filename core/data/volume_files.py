"""Headers of volume files (NIfTI, MHA, NRRD), checked before ITK reads them.

ITK allocates what a header announces and follows file names that stand in it, so sizes are compared
with the data that is there and files that point elsewhere are refused.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import DataError

LARGEST_VOLUME = 512 * 2**20  # bytes, unpacked
GZIP = b"\x1f\x8b"
NIFTI_TYPES = {2: 1, 4: 2, 8: 4, 16: 4, 64: 8, 128: 3, 256: 1, 512: 2, 768: 4}
META_TYPES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip
NRRD_TYPES = {
    "signed char": 1, "int8": 1, "int8_t": 1, "uchar": 1, "unsigned char": 1, "uint8": 1,
    "uint8_t": 1, "short": 2, "short int": 2, "signed short": 2, "int16": 2, "int16_t": 2,
    "ushort": 2, "unsigned short": 2, "uint16": 2, "uint16_t": 2, "int": 4, "signed int": 4,
    "int32": 4, "int32_t": 4, "uint": 4, "unsigned int": 4, "uint32": 4, "uint32_t": 4, "float": 4,
    "double": 8,
}  # fmt: skip


@dataclass(frozen=True)
class VolumeFile:
    """A checked file.

    Attributes:
        content: Bytes for ITK, unpacked where the whole file was packed.
        reader: Name of ITK's reader.
        suffix: Ending that reader wants.
    """

    content: bytes
    reader: str
    suffix: str


def volume_kind(head: bytes) -> str:
    """``"nifti"``, ``"meta"``, ``"nrrd"`` or ``""``, by a file's first kilobyte."""
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 1024)
        except zlib.error:
            return ""
        return "nifti" if _nifti_version(head) else ""
    if _nifti_version(head):
        return "nifti"
    if re.match(rb"NRRD000\d", head):
        return "nrrd"
    return "meta" if re.match(rb"(ObjectType *= *Image|NDims *= *\d)", head) else ""


def check_volume(content: bytes) -> VolumeFile:
    """Check a volume's header against its data.

    Raises:
        DataError: P20 cut short or damaged, P21 the data is in another file, P22 too large, P23 of
            a kind that is not read.
    """
    kind = volume_kind(content[:1024])
    if kind == "nifti":
        return VolumeFile(_checked_nifti(_unpacked(content)), "NiftiImageIO", ".nii")
    if kind == "nrrd":
        return VolumeFile(_checked_nrrd(content), "NrrdImageIO", ".nrrd")
    return VolumeFile(_checked_meta(content), "MetaImageIO", ".mha")


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(GZIP):
        return content
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(content, LARGEST_VOLUME + 1024)
    except zlib.error as error:
        raise _damaged() from error
    if unpack.unconsumed_tail:
        raise _too_large()
    return plain


def _nifti_version(head: bytes) -> int:
    """1 or 2; negative where the data is in another file; 0 for other files."""
    for version, place in ((1, 344), (2, 4)):
        magic = head[place : place + 3]
        size = {1: 348, 2: 540}[version]
        if magic in {b"n+%d" % version, b"ni%d" % version} and size in {
            int.from_bytes(head[:4], order) for order in ("little", "big")
        }:
            return version if magic[1:2] == b"+" else -version
    return 0


def _checked_nifti(plain: bytes) -> bytes:
    """The same volume as NIfTI-1, which ITK reads, without its free texts."""
    version = _nifti_version(plain)
    if version < 0:
        raise _elsewhere()
    order = "<" if int.from_bytes(plain[:4], "little") in {348, 540} else ">"
    if version == 2:
        plain = _as_nifti1(plain, order)
    dims = struct.unpack_from(f"{order}8h", plain, 40)
    (kind,) = struct.unpack_from(f"{order}h", plain, 70)
    (start,) = struct.unpack_from(f"{order}f", plain, 108)
    sizes = dims[1 : dims[0] + 1]
    if not 2 <= dims[0] <= 7 or not math.isfinite(start) or start < 348:
        raise _damaged()
    if kind not in NIFTI_TYPES or any(size != 1 for size in sizes[4:]):
        raise _unknown()
    _check_sizes(sizes, NIFTI_TYPES[kind], len(plain) - int(start))
    blank = bytes(104)  # description and name of an auxiliary file: free text
    return plain[:148] + blank + plain[252:]


def _as_nifti1(plain: bytes, order: str) -> bytes:
    """Rewrite a NIfTI-2 header as NIfTI-1: the same numbers in smaller fields."""
    header = bytearray(352)

    def copy(source: str, place: int, target: str, where: int) -> None:
        values = struct.unpack_from(order + source, plain, place)
        struct.pack_into(order + target, header, where, *values)

    try:
        struct.pack_into(f"{order}i", header, 0, 348)
        copy("8q", 16, "8h", 40)  # dim
        copy("hh", 12, "hh", 70)  # datatype, bitpix
        copy("8d", 104, "8f", 76)  # pixdim
        copy("2d", 176, "2f", 112)  # scl_slope, scl_inter
        copy("2i", 344, "2h", 252)  # qform_code, sform_code
        copy("6d", 352, "6f", 256)  # quaternion and offset
        copy("12d", 400, "12f", 280)  # affine
        copy("i", 500, "B", 123)  # units
        struct.pack_into(f"{order}f", header, 108, 352.0)
        header[344:348] = b"n+1\0"
        (start,) = struct.unpack_from(f"{order}q", plain, 168)
    except (struct.error, OverflowError) as error:
        raise _damaged() from error
    if start < 540:
        raise _damaged()
    return bytes(header) + plain[start:]


def _check_sizes(sizes: tuple[int, ...], voxel: int, there: int | None = None) -> None:
    """Compare what a header announces with what is possible, and with what is there."""
    if not sizes or any(size < 1 for size in sizes):
        raise _damaged()
    needed = math.prod(sizes) * voxel
    if needed > LARGEST_VOLUME:
        raise _too_large()
    if there is not None and there < needed:
        raise DataError("P20", f"The volume is cut short ({there} of {needed} bytes)")


def _checked_meta(content: bytes) -> bytes:
    """The same MHA, unpacked: ITK reads damaged packed data without a word."""
    found = re.search(rb"^ElementDataFile *= *([^\r\n]*)\r?\n", content[:65536], re.MULTILINE)
    if found is None:
        raise _damaged()
    if found[1].strip().upper() != b"LOCAL":
        raise _elsewhere()
    head, numbers = content[: found.start()], content[found.end() :]
    fields = _fields(head, "=")
    sizes = _whole_numbers(fields.get("dimsize", ""))
    kind = fields.get("elementtype", "").upper()
    channels = fields.get("elementnumberofchannels", "1")
    if kind not in META_TYPES or channels not in {"1", "3"} or not 2 <= len(sizes) <= 4:
        raise _unknown()
    if fields.get("binarydata", "true").casefold() != "true":
        raise _unknown()
    voxel = META_TYPES[kind] * int(channels)
    if fields.get("compresseddata", "false").casefold() == "true":
        numbers = _inflated(numbers, sizes, voxel)
        head = re.sub(rb"(?m)^CompressedData(Size)? *=[^\r\n]*\r?\n", b"", head)
    _check_sizes(sizes, voxel, len(numbers))
    return head + b"ElementDataFile = LOCAL\n" + numbers


def _checked_nrrd(content: bytes) -> bytes:
    """The same NRRD, unpacked, for the same reason."""
    found = re.search(rb"\r?\n\r?\n", content[:65536])
    if found is None:
        raise _elsewhere() if b"data" in content[:65536] else _damaged()
    head, numbers = content[: found.start()], content[found.end() :]
    fields = _fields(head, ":")
    if "datafile" in fields:
        raise _elsewhere()
    sizes, kind = _whole_numbers(fields.get("sizes", "")), fields.get("type", "").casefold()
    encoding = fields.get("encoding", "").casefold()
    if kind not in NRRD_TYPES or not 2 <= len(sizes) <= 4:
        raise _unknown()
    skips = {fields.get("lineskip", "0"), fields.get("byteskip", "0")}
    if encoding not in {"raw", "gzip", "gz"} or skips != {"0"}:
        raise _unknown()
    if encoding != "raw":
        numbers = _inflated(numbers, sizes, NRRD_TYPES[kind])
        head = re.sub(rb"(?mi)^encoding *:[^\r\n]*", b"encoding: raw", head)
    _check_sizes(sizes, NRRD_TYPES[kind], len(numbers))
    return head + b"\n\n" + numbers


def _inflated(packed: bytes, sizes: tuple[int, ...], voxel: int) -> bytes:
    """Exactly the numbers announced, from a zlib or gzip stream."""
    _check_sizes(sizes, voxel)
    needed = math.prod(sizes) * voxel
    unpack = zlib.decompressobj(wbits=47)  # either kind
    try:
        plain = unpack.decompress(packed, needed + 1)
    except zlib.error as error:
        raise _damaged() from error
    if len(plain) != needed:
        raise _damaged()
    return plain


def _fields(head: bytes, separator: str) -> Mapping[str, str]:
    """Lines ``key = value`` by their keys in lower case without blanks."""
    lines = (line.split(separator, 1) for line in head.decode("latin-1").splitlines())
    return {
        key.strip().casefold().replace(" ", ""): rest[0].strip() for key, *rest in lines if rest
    }


def _whole_numbers(text: str) -> tuple[int, ...]:
    words = text.split()
    return tuple(map(int, words)) if all(re.fullmatch(r"\d{1,9}", word) for word in words) else ()


def _damaged() -> DataError:
    return DataError("P20", "The volume is damaged or cut short")


def _elsewhere() -> DataError:
    return DataError(
        "P21",
        "The volume's numbers are in another file",
        todo="Save it as one file (.nii.gz, .mha or .nrrd).",
    )


def _too_large() -> DataError:
    return DataError("P22", f"The volume is larger than {LARGEST_VOLUME // 2**20} MB")


def _unknown() -> DataError:
    return DataError(
        "P23",
        "The volume is of a kind that is not read",
        todo="Save it as numbers of 8 or 16 bits.",
    )
