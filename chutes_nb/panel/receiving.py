"""Files that come through a kernel's comm, where no server answers the page."""

from __future__ import annotations

import base64
import threading
from collections import defaultdict
from typing import Any

from ..errors import ChutesError
from ..store import Store
from ..uploads import UPLOADS, Upload, UploadConflict, Uploads

# What a page may ask for; the name of the method that answers it.
QUESTIONS = ("begin", "where", "piece", "drop")


class Receiver:
    """Takes files in pieces; the uploads are the store's, as the server's are.

    A page may begin an upload here and send its pieces to the server, or the other
    way round: both find it where it stands.

    Messages of one page come in the main thread and in subshell threads, so each
    upload has a lock.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._uploads = Uploads(store.home / UPLOADS, store.blobs)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def answer(self, message: dict[str, Any], buffers: list[Any]) -> dict[str, Any]:
        """Do what a page asks for; says where the upload stands.

        Parameters
        ----------
        message : dict
            ``name`` is one of ``QUESTIONS``; ``begin`` has ``file``, ``media`` and
            ``size``, the others ``upload``; a ``piece`` has ``at`` and ``sha256``.
        buffers : list of buffer
            Of a ``piece``: its bytes.

        Raises
        ------
        ChutesError
        """
        name = message.get("name")
        if name not in QUESTIONS:
            raise ChutesError(f"nobody here answers {name!r} about an upload")
        if name == "begin":
            said = (message.get("file") or "", message.get("media") or "")
            upload = self._uploads.create(int(message["size"]), *said)
            return self._standing(upload)
        uid = str(message["upload"])
        if name == "drop":
            self._uploads.delete(uid)
            self._locks.pop(uid, None)
            return {"upload": uid}
        with self._locks[uid]:
            upload = self._uploads.found(uid)
            if name == "piece":
                upload = self._write(upload, message, buffers)
            return self._standing(upload)

    def _write(
        self, upload: Upload, message: dict[str, Any], buffers: list[Any]
    ) -> Upload:
        if upload.sha256 is not None:
            raise UploadConflict(f"upload {upload.uid} is finished")
        piece = buffers[0]
        checksum = base64.b64decode(message["sha256"], validate=True)
        writer = self._uploads.writer(upload, int(message["at"]), checksum)
        is_whole = False
        try:
            writer.write(piece)
            is_whole = True
        finally:
            writer.close(is_whole=is_whole)
        if writer.offset < upload.length:
            return upload
        finished = self._uploads.finish(upload)
        self._locks.pop(upload.uid, None)  # not before: who comes now finds it whole
        return finished

    def _standing(self, upload: Upload) -> dict[str, Any]:
        offset = self._uploads.offset(upload)
        return {"upload": upload.uid, "offset": offset, "sha256": upload.sha256}
