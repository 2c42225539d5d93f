"""From a job's definition to its run form, and from a filled form to a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import comm

from . import publishing, registry, runtime
from .binding import binder
from .definer import Definer
from .errors import ValidationFailed
from .files_in import FileRef
from .panel import FormLine, RunForm
from .store.blobs import blob_path
from .submitting import durable, new_job, submit
from .uploads import UPLOADS, UploadNotFound, Uploads

# Name of the comm that a page of JupyterLab opens to have a form's job run.
TARGET = "chutes_nb.form"


class DefinedRunner:
    """Runs the job of one definition with what a form was filled with.

    Parameters
    ----------
    definer : Definer
    """

    def __init__(self, definer: Definer) -> None:
        self._definer = definer

    def document(self) -> dict[str, Any]:
        """Return what the form shows; see ``panel.form.Runner``."""
        definer = self._definer
        options = definer.options
        schema = binder(definer.signature).validator.schema_once
        return {
            "chute": definer.chute.name,
            "name": definer.name,
            "schema": {**schema, "title": definer.name},
            "upload": options.upload,
            "timeout_s": options.timeout_s,
            "retry": options.retry,
        }

    def submit(self, payload: dict[str, Any]) -> str:
        """Queue a job; all that is wrong is said at once.

        Parameters
        ----------
        payload : dict
            Values by parameter; a file is ``{"upload": UID}``.

        Raises
        ------
        ValidationFailed
        """
        definer = self._definer
        arguments = self._checked(payload)
        definition = definer.definition()
        new = new_job(definer, definition, arguments)
        (job_id,) = durable(submit(definition, [new]))
        registry.remember_jobs([job_id])
        return job_id

    def _checked(self, payload: dict[str, Any]) -> dict[str, Any]:
        bound = binder(self._definer.signature)
        details: list[dict[str, Any]] = [
            {"loc": [one.name], "msg": "Field required", "type": "missing"}
            for one in self._definer.signature.parameters
            if one.is_required and one.name not in payload
        ]
        arguments = dict(payload)
        for name in self._definer.signature.upload_parameters.keys() & payload.keys():
            try:
                arguments[name] = uploaded(name, payload[name])
            except ValidationFailed as error:
                details += error.details
        try:
            bound.validator.validated(arguments)
        except ValidationFailed as error:
            details += error.details
        if details:
            said = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in details)
            raise ValidationFailed(f"{self._definer.name}: {said}", details)
        return arguments


def uploaded(name: str, value: Any) -> Any:
    """Give the file, or the list of files, that a payload names by uploads.

    Raises
    ------
    ValidationFailed
        If there is no such upload, or it is not finished.
    """
    if isinstance(value, list):
        return [uploaded(name, one) for one in value]
    uid = value.get("upload") if isinstance(value, dict) else None
    if not isinstance(uid, str):
        return value
    store = runtime.store()
    try:
        found = Uploads(store.home / UPLOADS, store.blobs).finished(uid)
    except UploadNotFound as error:
        details: list[dict[str, Any]] = [
            {"loc": [name], "msg": str(error), "type": "upload"}
        ]
        raise ValidationFailed(f"{name}: {error}", details) from error
    digest = found.sha256 or ""
    place: Path = blob_path(store.blobs, digest)
    return FileRef(found.name, found.length, found.type, digest, str(place))


def run_form(definer: Definer, actions: object) -> RunForm:
    """Make the form of a definition, which servers know from now on.

    Parameters
    ----------
    actions : object
        Answers the buttons of the cards under the form.
    """
    publishing.publish_quietly(definer)
    return RunForm(runtime.store(), DefinedRunner(definer), actions)


def answer_pages() -> None:
    """Take the lines that pages open to this kernel, where this is one."""
    if comm.create_comm.__module__ != comm.__name__:
        comm.get_comm_manager().register_target(TARGET, _opened)


def _opened(channel: Any, message: dict[str, Any]) -> None:
    asked = message["content"]["data"]
    runner = RunForm.runner_of(str(asked.get("form")))
    if runner is None:
        # Of a kernel before this one: the job of that name, if it is defined again.
        named = (str(asked.get("chute")), str(asked.get("name")))
        definer = registry.current_function(*named)
        if not isinstance(definer, Definer):
            channel.close()
            return
        runner = DefinedRunner(definer)
    FormLine(channel, runner)
