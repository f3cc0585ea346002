"""A task's files: taken in with a submit, saved by a handler, removed with the last row that names them."""

from __future__ import annotations

import contextlib
import mimetypes
import random
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from tasks.models import Task, TaskFile
from tasks.parameters import FileParameter, FilesParameter, StoredFile
from tasks.visible import one_line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Content = bytes | str | Path | IO[bytes]

STRAY_AFTER = timedelta(days=1)

# Known to this program, whatever the machine's own tables know.
for ending, content_type in {
    ".avif": "image/avif",
    ".webp": "image/webp",
    ".parquet": "application/vnd.apache.parquet",
}.items():
    mimetypes.add_type(content_type, ending)


def content_type_of(name: str) -> str:
    """Judged by the name's ending: what a client says of its upload is not believed."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def as_stored(row: TaskFile) -> StoredFile:
    return StoredFile(row.id, row.name, Path(row.content.path), row.size, row.content_type)


def stored_files(task: Task) -> dict[str, StoredFile]:
    """The input files of a task, by their id as its parameters hold it."""
    return {str(row.id): as_stored(row) for row in task.files.filter(kind=TaskFile.Kind.INPUT)}


def saved_path(file_id: str | uuid.UUID) -> Path | None:
    """Where an output lies that this or an earlier try of a task has saved; None if it is gone."""
    row = TaskFile.objects.filter(pk=file_id, kind=TaskFile.Kind.OUTPUT).first()
    path = Path(row.content.path) if row else None
    return path if path and path.exists() else None


def save_output(task_id: uuid.UUID, name: str, content: Content, *, claim: int | None) -> TaskFile:
    """Store what a handler made and return its row, not yet in the database.

    A Path is moved into the storage when it lies on the same disk.
    """
    row = TaskFile(task_id=task_id, kind=TaskFile.Kind.OUTPUT, name=one_line(name)[-255:], claim=claim)
    row.content_type = content_type_of(name)
    with _as_file(content) as file:
        _put(row, file)
    return row


class _Movable(File):  # type: ignore[type-arg]
    """A file that the storage may move to its place instead of copying it."""

    def __init__(self, path: Path, opened: IO[bytes]) -> None:
        super().__init__(opened, path.name)
        self.path = path

    def temporary_file_path(self) -> str:
        return str(self.path)


@contextlib.contextmanager
def _as_file(content: Content) -> Iterator[File[Any]]:
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, bytes):
        yield ContentFile(content)
    elif isinstance(content, Path):
        with content.open("rb") as opened:
            yield _Movable(content, opened)
        content.unlink(missing_ok=True)
    else:
        yield File(content)


def _put(row: TaskFile, file: File[Any]) -> None:
    row.content.name = default_storage.save(row.content.field.generate_filename(row, row.name), file)
    row.size = default_storage.size(row.content.name)


class Intake:
    """The files of one submit: `take` stores the uploads among validated parameters, `rows` are what to save.

    `discard` removes what was stored, for a submit that failed after all.
    """

    def __init__(self, task_id: uuid.UUID, owner: User | None) -> None:
        self.task_id = task_id
        self.owner = owner
        self.rows: list[TaskFile] = []
        self.stored: list[str] = []

    def take(
        self, declared: Mapping[str, FileParameter | FilesParameter], validated: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The parameters with every upload and file id replaced by a StoredFile.

        Raises ValidationError, field by field, for an id that is not there or not the owner's to use, and for a file
        that does not fit its parameter.
        """
        taken = dict(validated)
        for name, parameter in declared.items():
            value = taken.get(name)
            try:
                if isinstance(value, list):
                    taken[name] = [self._take_one(name, parameter, one) for one in value]
                elif value is not None:
                    taken[name] = self._take_one(name, parameter, value)
            except ValidationError as error:
                raise ValidationError({name: error.detail}) from None
        return taken

    def _take_one(
        self, name: str, parameter: FileParameter | FilesParameter, value: UploadedFile[Any] | StoredFile | uuid.UUID
    ) -> StoredFile:
        if isinstance(value, UploadedFile):
            row = TaskFile(name=one_line(Path(value.name or "file").name)[-255:])
            _put(row, value)
            self.stored.append(str(row.content.name))
        else:
            former = self._usable(value.id if isinstance(value, StoredFile) else value)
            parameter.checked(as_stored(former))
            # The same content under a row of its own: it stays until the last row that names it goes.
            row = TaskFile(name=former.name, content=former.content.name, size=former.size)
        row.task_id, row.kind, row.parameter = self.task_id, TaskFile.Kind.INPUT, name
        row.content_type = content_type_of(row.name)
        self.rows.append(row)
        return as_stored(row)

    def _usable(self, file_id: uuid.UUID) -> TaskFile:
        usable = TaskFile.objects.published()
        if self.owner is not None:
            usable = usable.filter(task__in=Task.objects.visible_to(self.owner))
        try:
            return usable.get(pk=file_id)
        except TaskFile.DoesNotExist:
            raise ValidationError([f"There is no file {file_id}."]) from None

    def discard(self) -> None:
        for name in self.stored:
            default_storage.delete(name)


def forget(rows: Iterable[TaskFile]) -> None:
    """Remove the contents of deleted rows once that is committed, but for what another row names too."""
    names = {str(row.content.name) for row in rows}

    def remove() -> None:
        kept = set(TaskFile.objects.filter(content__in=names).values_list("content", flat=True))
        for name in names - kept:
            _remove(name)

    transaction.on_commit(remove)


def forget_strays(folder: str = "", *, most: int = 1000) -> int:
    """Remove contents that no row names, of some in one folder of the storage: by chance, where none is given.

    A process that was killed between a content and its row has left them; a young one may still get its row. Gives how
    many.
    """
    folder = folder or f"{random.randrange(256):02x}"  # noqa: S311 - spreads work
    names = default_storage.listdir(folder)[1] if default_storage.exists(folder) else []
    long_ago = timezone.now() - STRAY_AFTER
    some = [f"{folder}/{name}" for name in random.sample(names, min(len(names), most))]
    some = [name for name in some if _modified(name) < long_ago]
    strays = set(some) - set(TaskFile.objects.filter(content__in=some).values_list("content", flat=True))
    for name in strays:
        _remove(name)
    return len(strays)


def _modified(name: str) -> datetime:
    """When the content was stored; now, where it has just gone."""
    try:
        return default_storage.get_modified_time(name)
    except OSError:
        return timezone.now()


def _remove(name: str) -> None:
    # Its rows are gone for good: what cannot be removed is left behind, and no reason to fail.
    with contextlib.suppress(OSError):
        default_storage.delete(name)
