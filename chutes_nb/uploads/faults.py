"""What can go wrong with an upload."""

from __future__ import annotations

from ..errors import ChutesError


class UploadError(ChutesError):
    """An upload cannot go on as it was asked to."""


class UploadNotFound(UploadError):
    """There is no such upload (any more)."""


class UploadConflict(UploadError):
    """A piece does not begin where the last one ended."""


class UploadBusy(UploadError):
    """Another request writes to the upload."""


class UploadTooLarge(UploadError):
    """An upload is larger than it may be, or than it was said to be."""


class ChecksumWrong(UploadError):
    """A piece is not what its checksum says; it was left out."""
