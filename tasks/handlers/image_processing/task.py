"""IMAGE_PROCESSING: resizes, converts and marks images, each of them an item of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tasks.context import Fail, Item, State, TaskContext, distinct_keys
from tasks.files import saved_path
from tasks.handlers.image_processing import samples
from tasks.handlers.image_processing.archive import Archive
from tasks.handlers.image_processing.library import vips
from tasks.handlers.image_processing.names import OutputNames, safe_stem
from tasks.handlers.image_processing.outcome import Output, Result, entry_for, in_words, result_of, summarize
from tasks.handlers.image_processing.parameters import Parameters
from tasks.handlers.image_processing.reading import Picture, Unusable, damaged, look_at
from tasks.handlers.image_processing.recipe import Box, Recipe
from tasks.handlers.image_processing.shaping import frame_height, shape
from tasks.handlers.image_processing.watermark import ImageMark, TextMark, Watermark
from tasks.handlers.image_processing.writing import write
from tasks.parameters import StoredFile
from tasks.registry import task_type

ARCHIVE = "images.zip"


@dataclass(frozen=True)
class Source:
    """An image to work on: a file that was given, or a sample that is made when its turn comes."""

    key: str
    name: str
    file: StoredFile | None = None
    number: int = 0

    def path(self, folder: Path) -> Path:
        return self.file.path if self.file else samples.make_sample(self.number, folder)

    @property
    def file_id(self) -> str | None:
        return str(self.file.id) if self.file else None


def sources_of(images: list[StoredFile] | None, count: int) -> list[Source]:
    if not images:
        names = [samples.sample_name(number) for number in range(1, count + 1)]
        return [Source(name, name, number=number) for number, name in enumerate(names, 1)]
    keys = distinct_keys(image.name for image in images)
    return [Source(key, image.name, image) for key, image in zip(keys, images, strict=True)]


def count_of(parameters: Mapping[str, Any]) -> int:
    return len(parameters.get("images") or ()) or parameters["num_images"]


def timeout_for(parameters: Mapping[str, Any]) -> float:
    """Seconds: half a minute for each output is a lot, and a hundred megapixels of AVIF need it."""
    return 120 + 30 * count_of(parameters) * max(1, len(parameters["sizes"]))


def name_for(parameters: Mapping[str, Any]) -> str:
    images, made = parameters.get("images") or [], parameters["output_format"]
    if not images:
        count = parameters["num_images"]
        said = ngettext("%(count)d sample image to %(format)s", "%(count)d sample images to %(format)s", count)
        return said % {"count": count, "format": made}
    name = getattr(images[0], "name", str(images[0]))
    if len(images) == 1:
        return _("%(name)s to %(format)s") % {"name": name, "format": made}
    return _("%(name)s and %(more)d more to %(format)s") % {"name": name, "more": len(images) - 1, "format": made}


def sample() -> dict[str, Any]:
    return {"images": samples.example_files(), "target_size": "640x480", "output_format": "WEBP"}


@task_type(
    "IMAGE_PROCESSING",
    label=gettext_lazy("Image processing"),
    parameters=Parameters,
    result=Result,
    icon="image",
    timeout=timeout_for,
    memory_mb=1536,
    make_name=name_for,
    summarize=summarize,
    sample=sample,
    result_template="tasks/results/image_processing.html",
    description=gettext_lazy("Resize, convert and mark images; download each of them or all as one zip."),
)
def image_processing(
    context: TaskContext, *, images: list[StoredFile] | None = None, num_images: int, **parameters: Any
) -> dict[str, Any]:
    sources = sources_of(images, num_images)
    recipe = Recipe.from_parameters(parameters, watermark_of(parameters))
    with context.temporary_folder() as folder, Archive(folder / ARCHIVE) as archive:
        work = Work(context, recipe, folder, archive)
        # Not begun beforehand: an image that was under way when a worker died is simply done again.
        for item in context.items(sources, key=lambda source: source.key, begin=False):
            work.do(item)
        return work.result(parameters)


def watermark_of(parameters: Mapping[str, Any]) -> Watermark | None:
    """The mark for every output. Raises Fail where it cannot be made: then no image could be either."""
    known = {"place": parameters["watermark_position"], "opacity": parameters["watermark_opacity"]}
    if text := parameters["watermark_text"]:
        return TextMark(text=text, **known)
    if file := parameters.get("watermark_image"):
        try:
            return ImageMark(picture=look_at(file.path, file.name), **known)
        except Unusable as error:
            raise Fail(str(error)) from error
    return None


class Work:
    """The images of one task, one after the other, and what came of them."""

    def __init__(self, context: TaskContext, recipe: Recipe, folder: Path, archive: Archive) -> None:
        self.context, self.recipe, self.folder, self.archive = context, recipe, folder, archive

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What was made so far, by this try and by earlier ones."""
        return [record.detail["entry"] for record in self.context.records if record.state == State.DONE]

    @property
    def failures(self) -> list[dict[str, str]]:
        failed = [record for record in self.context.records if record.state == State.FAILED]
        return [record.detail | {"error": record.error} for record in failed]

    @cached_property
    def names(self) -> OutputNames:
        return OutputNames(output["name"] for output in self._outputs_so_far())

    def _outputs_so_far(self) -> Iterator[dict[str, Any]]:
        return (output for entry in self.entries for output in entry["outputs"])

    def do(self, item: Item[Source]) -> None:
        try:
            entry = self._entry(item.value)
            said = in_words(entry, self.recipe.format)
            self.context.log("{}: {from} to {into}".format(item.value.name, **said))
            item.done(said | {"entry": entry})
        except Unusable as error:
            # An interrupt that stopped libvips is raised here, before its image is called damaged.
            self.context.log(str(error), "warning")
            item.fail(str(error), {"original_name": item.value.name})

    def _entry(self, source: Source) -> dict[str, Any]:
        path = source.path(self.folder)
        picture = look_at(path, source.name)
        # All sizes are made before the first is kept: an image is processed whole or not at all.
        made = [self._make(picture, number, box) for number, box in enumerate(self._boxes(picture))]
        outputs = [self._keep(picture, *one) for one in made]
        frames = picture.frames if self.recipe.writable.animated else 1
        entry = entry_for(picture, path.stat().st_size, source.file_id, outputs, frames=frames)
        if source.file is None:
            path.unlink()
        return entry

    def _boxes(self, picture: Picture) -> Iterable[Box]:
        """Every size once: an image smaller than several of them would come out the same for each."""
        sizes: dict[tuple[int, int], Box] = {}
        for box in self.recipe.boxes:
            size = box.size_of(*picture.upright, self.recipe.mode, enlarge=self.recipe.enlarge)
            sizes.setdefault(size, box)
        return sizes.values()

    def _make(self, picture: Picture, number: int, box: Box) -> tuple[Path, int, int]:
        """Write one output; gives where it lies, its width and height."""
        path = self.folder / f"output-{number}"
        try:
            image = shape(picture, box, self.recipe)
            write(image, path, self.recipe, picture.name, self._computing)
        except vips().Error as error:
            raise damaged(picture.name) from error
        return path, image.width, frame_height(image)

    def _keep(self, picture: Picture, path: Path, width: int, height: int) -> Output:
        stem = safe_stem(picture.name)
        if len(self.recipe.boxes) > 1:
            stem = f"{stem}-{width}x{height}"
        name, size = self.names.take(stem, self.recipe.writable.ending), path.stat().st_size
        self.archive.add(path, name)
        return Output(name, size, width, height, str(self.context.save_file(name, path)))

    @contextmanager
    def _computing(self, image: Any) -> Iterator[None]:
        """An interrupt stops libvips by its own switch, and is raised after it: not within one of its callbacks."""
        with self.context.uninterrupted(), self.context.on_interrupt(lambda: image.set_kill(True)):
            yield

    def result(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if not self.entries:
            raise Fail(self._all_failed())
        result = result_of(self.entries, self.failures, parameters)
        for output in self._outputs_so_far():
            if output["name"] not in self.archive and (path := saved_path(output["file"])):
                self.archive.add(path, output["name"])
        path = self.archive.close()
        result["archive_size"] = path.stat().st_size
        result["archive"] = str(self.context.save_file(ARCHIVE, path))
        self.context.progress(100)
        return result

    def _all_failed(self) -> str:
        failures = self.failures
        if len(failures) == 1:
            return failures[0]["error"]
        known = {"count": len(failures), "first": failures[0]["error"]}
        return _("None of the %(count)d images could be processed. The first: %(first)s") % known
