"""Files that a job takes: from a user's path, bytes or open file to the worker."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import mimetypes
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    BinaryIO,
    Literal,
    Protocol,
    cast,
    get_args,
    runtime_checkable,
)

from .errors import StoreDamaged, ValidationFailed
from .paths import PRIVATE_FILE, private_dir
from .store.blobs import Blob, blob_path, keep

UploadKind = Literal["bytes", "path", "file", "bytes[]", "path[]", "file[]"]

PIECE_BYTES = 1 << 20
OPEN_FILES = {"/dev/stdin", "/dev/fd", "/proc/self/fd"}
DEEPEST = 8  # steps of a path in a tree of files
# What Python's own table lacks on some systems.
TYPES = {
    ".ipynb": "application/x-ipynb+json",
    ".log": "text/plain",
    ".parquet": "application/vnd.apache.parquet",
}
FICLONE = 0x40049409  # linux/fs.h: share the blocks, copy them on write


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file kept in the store, small enough to travel in a job's arguments.

    Attributes
    ----------
    name : str
        The file's own name, without directories.
    size : int
        Bytes.
    type : str
        MIME type, guessed from the name; see :func:`file_type`.
    sha256 : str
        Hexadecimal digest of the content.
    path : str
        Where the content lies in the store.
    """

    name: str
    size: int
    type: str
    sha256: str
    path: str


@dataclass(frozen=True)
class UploadedFile:
    """A file that was given to a job.

    Attributes
    ----------
    name, type, sha256 : str
    size : int
        Bytes.
    """

    name: str
    size: int
    type: str
    sha256: str
    _blob: Path = field(repr=False)
    _directory: Path = field(repr=False)

    @property
    def path(self) -> Path:
        """The file under its own name in the run directory, the job's to change."""
        place = self._directory / self.sha256[:12] / self.name
        if not place.exists():
            private_dir(place.parent)
            aside = place.with_name("copy")  # another thread may ask for it as well
            _verify(self, _copy(self._blob, aside, self.sha256))
            os.replace(aside, place)
        return place

    def open(self) -> BinaryIO:
        """Open the content for reading, in binary."""
        return self._blob.open("rb")

    def read(self) -> bytes:
        """Read the whole content.

        Raises
        ------
        StoreDamaged
            If it is not what was uploaded.
        """
        body = self._blob.read_bytes()
        _verify(self, hashlib.sha256(body).hexdigest() == self.sha256)
        return body


@runtime_checkable
class Content(Protocol):
    """A file that is kept already: one that was given to a job, or that it left."""

    name: str
    type: str

    def open(self) -> BinaryIO:
        """Open the content for reading, in binary."""


_SINGLE: dict[object, UploadKind] = {
    bytes: "bytes",
    Path: "path",
    UploadedFile: "file",
}


def upload_kind(annotation: Any) -> UploadKind | None:
    """Read from an annotation how a job wants its file; None where it wants none.

    Parameters
    ----------
    annotation : a type or typing form
        ``bytes``, ``Path``, ``UploadedFile``, a list of one, each perhaps ``| None``.
    """
    if isinstance(annotation, type) and annotation in _SINGLE:
        return _SINGLE[annotation]
    args = get_args(annotation)
    if getattr(annotation, "__metadata__", None):  # Annotated[bytes, ...]
        return upload_kind(args[0])
    if getattr(annotation, "__origin__", None) is list:
        kind = upload_kind(args[0])
        return cast(UploadKind, f"{kind}[]") if kind and "[" not in kind else None
    if type(None) in args:
        kinds = {upload_kind(arg) for arg in args if arg is not type(None)}
        return kinds.pop() if len(kinds) == 1 else None
    return None


def take_in(
    value: Any, annotation: Any, blobs: Path, *, parameter: str = "file"
) -> FileRef | list[FileRef] | None:
    """Put the content of a file argument into the store, once for each content.

    Parameters
    ----------
    value : path as str or Path, bytes, open file, UploadedFile, FileRef
        Or a list of these where the annotation is a list.
    annotation : a type, or an upload kind as ``upload_kind`` gives it
    blobs : Path
        Directory of the contents: ``<first two>/<sha256>``.
    parameter : str
        Name for messages, and for content that has no name.

    Raises
    ------
    ValidationFailed
        If the value is no file, or the file cannot be read.
    """
    kind = annotation if isinstance(annotation, str) else upload_kind(annotation)
    if value is None:
        return None
    is_many = isinstance(value, list | tuple)
    if kind is not None and kind.endswith("[]"):
        items = value if is_many else [value]
        return [_take_one(item, blobs, parameter) for item in items]
    if is_many:
        if len(value) != 1:
            raise _refused(parameter, f"takes one file, {len(value)} were given", value)
        value = value[0]
    return _take_one(value, blobs, parameter)


def facts_of(value: Any) -> Any:
    """Give what is known of a file that was taken in, or of several; else None."""
    if isinstance(value, list) and value and isinstance(value[0], FileRef):
        return [facts_of(one) for one in value]
    if not isinstance(value, FileRef):
        return None
    names = ("name", "size", "type", "sha256")
    return {name: getattr(value, name) for name in names}


def hand_out(
    ref: FileRef | list[FileRef] | None,
    kind: str,
    directory: Path,
    blobs: Path | None = None,
) -> Any:
    """Turn a reference into what the job's parameter is annotated as.

    Parameters
    ----------
    ref : FileRef, list of FileRef, or None
    kind : UploadKind
        From ``upload_kind``.
    directory : Path
        The run's own directory; a ``Path`` gets a copy in it that the job may change.
    blobs : Path, optional
        Where the contents are on this machine; by default where they were taken in.

    Raises
    ------
    StoreDamaged
        If the content is gone, or is not what was uploaded.
    """
    if ref is None:
        return None
    if isinstance(ref, list):
        one_kind = kind.removesuffix("[]")
        return [hand_out(one, one_kind, directory, blobs) for one in ref]
    blob = Path(ref.path) if blobs is None else blob_path(blobs, ref.sha256)
    file = UploadedFile(ref.name, ref.size, ref.type, ref.sha256, blob, directory)
    try:
        _verify(file, blob.stat().st_size == ref.size)
    except FileNotFoundError:
        _verify(file, False)
    if kind == "bytes":
        return file.read()
    return file.path if kind == "path" else file


def _verify(file: UploadedFile, is_whole: bool) -> None:
    """Refuse a content that is not the one that was uploaded."""
    if not is_whole:
        raise StoreDamaged(
            f"the upload {file.name!r} is not in the store any more as it was given "
            f"(SHA-256 {file.sha256}): submit the job with the file again"
        )


def file_type(name: str) -> str:
    """Guess a MIME type from a file's name; of what is compressed, the outer one."""
    suffix = os.path.splitext(name)[1].lower()
    kind, packing = mimetypes.guess_type(name)
    if packing is not None:
        return "application/gzip" if packing == "gzip" else f"application/x-{packing}"
    return TYPES.get(suffix) or kind or "application/octet-stream"


def clean_name(name: str) -> str:
    """Make a file name that is one safe step of a path, at most 200 bytes long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c.isprintable()).lstrip(" ").rstrip(". ")
    root, dot, suffix = kept.rpartition(".")
    root, suffix = (root, dot + suffix) if root and len(suffix) < 20 else (kept, "")
    while len(os.fsencode(root + suffix)) > 200:
        root = root[:-1]
    return root + suffix or "file"


def clean_path(name: str) -> str:
    r"""Make a relative path of safe steps, for a file that lies in a tree.

    Of a name that leads out of its tree (``..``, ``/``, ``\``) the last step stays.
    """
    steps = name.split("/")
    if "\\" in name or not all(step.strip(". ") for step in steps):
        return clean_name(name)
    return "/".join([clean_name(step) for step in steps][-DEEPEST:])


def free_name(name: str, used: set[str]) -> str:
    """Make a path that none of a set has, whatever the case; it is added to them."""
    name = clean_path(name)
    folder, slash, last = name.rpartition("/")
    root, dot, suffix = last.rpartition(".")
    root, suffix = (root, dot + suffix) if root else (last, "")
    found, count = name, 1
    while found.casefold() in used:
        count += 1
        found = f"{folder}{slash}{root} ({count}){suffix}"
    used.add(found.casefold())
    return found


def _take_one(value: Any, blobs: Path, parameter: str) -> FileRef:
    if isinstance(value, FileRef):
        return value
    if isinstance(value, Content) and not isinstance(value, os.PathLike):
        with value.open() as stream:
            return _ref(value.name, keep(stream, blobs), blobs, value.type)
    if isinstance(value, bytes | bytearray | memoryview):
        return _ref(parameter, keep(io.BytesIO(value), blobs), blobs)
    if isinstance(value, str | os.PathLike):
        return _take_path(value, blobs, parameter)
    if hasattr(value, "read"):
        return _take_open(value, blobs, parameter)
    raise _refused(
        parameter, "takes a path, bytes, an open file or a file of a job", value
    )


def _take_path(value: Any, blobs: Path, parameter: str) -> FileRef:
    try:
        path = Path(os.fsdecode(value)).expanduser()
        refuse_special(path)
        with path.open("rb") as stream:
            return _ref(path.name, keep(stream, blobs), blobs)
    except (OSError, ValueError, RuntimeError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise _refused(
            parameter,
            f"takes a file, and this path cannot be read ({cause}; relative paths "
            f"start at {Path.cwd()}); content itself goes as bytes",
            value,
        ) from error


def refuse_special(path: Path) -> None:
    """Refuse a pipe or a device: to open or to read one may last for ever.

    A pipe that is open already is taken: a shell's ``<(command)`` is one.

    Raises
    ------
    OSError
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # open says what a folder is
        return
    if not (stat.S_ISFIFO(mode) and {str(path), str(path.parent)} & OPEN_FILES):
        raise OSError(errno.EINVAL, "Not a regular file")


def below_text(stream: Any) -> Any:
    """Give the bytes below a file that is open as text; else the file itself."""
    if hasattr(stream, "buffer") and isinstance(stream.read(0), str):
        stream.seek(stream.tell())  # gives back what it has read ahead
        return stream.buffer
    return stream


def _take_open(value: Any, blobs: Path, parameter: str) -> FileRef:
    name = getattr(value, "name", None)
    try:
        value = below_text(value)
        is_binary = isinstance(value.read(0), bytes)
        if is_binary:
            stored = keep(value, blobs)
    except (OSError, ValueError) as error:
        raise _refused(parameter, f"cannot read the file ({error})", value) from error
    if not is_binary:
        raise _refused(parameter, 'takes a file opened with mode "rb"', value)
    return _ref(name if isinstance(name, str) else parameter, stored, blobs)


def _ref(name: str, stored: Blob, blobs: Path, kind: str | None = None) -> FileRef:
    name = clean_name(name)
    kind = kind or file_type(name)
    place = blob_path(blobs, stored.sha256)
    return FileRef(name, stored.size, kind, stored.sha256, str(place))


def _refused(parameter: str, wanted: str, value: object) -> ValidationFailed:
    shown = repr(value) if isinstance(value, str | Path) else type(value).__name__
    message = f"{parameter} {wanted}; got {shown[:200]}"
    return ValidationFailed(
        message, [{"loc": [parameter], "msg": message, "type": "file"}]
    )


def _copy(source: Path, to: Path, sha256: str) -> bool:
    """Copy a blob, sharing its blocks where the file system can.

    Returns
    -------
    bool
        Whether it had the digest. Shared blocks are not read for it: that would
        take as long as the copy that was saved.

    Notes
    -----
    Never a hard link: a job that writes to its file would change the stored one.
    """
    with source.open("rb") as old, to.open("wb") as new:
        os.fchmod(new.fileno(), PRIVATE_FILE)
        try:
            fcntl.ioctl(new.fileno(), FICLONE, old.fileno())
            return True
        except OSError:
            digest = hashlib.sha256()
            while piece := old.read(PIECE_BYTES):
                digest.update(piece)
                new.write(piece)
            return digest.hexdigest() == sha256
