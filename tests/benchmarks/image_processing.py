"""Image processing beside Pillow doing the same work, each in a process of its own: images a second, and memory.

Run it with `python -m tests.benchmarks.image_processing`; `--images 24` and `--megapixels 12` are the usual load.
Memory is what the work adds to a process that has its libraries loaded; in brackets, the whole process at its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

# What is asked of both: format of the originals, format of the results, way of resizing.
LOADS = [
    ("JPEG", "JPEG", "fit"),
    ("JPEG", "WEBP", "fit"),
    ("JPEG", "PNG", "exact"),
    ("PNG", "JPEG", "fit"),
    ("JPEG", "AVIF", "fit"),
]
SIZE = (800, 600)


def main() -> None:
    arguments = parsed()
    if arguments.worker:
        print(json.dumps(measured(arguments)))
        return
    print(f"{arguments.images} images of {arguments.megapixels} megapixels to {SIZE[0]}x{SIZE[1]}")
    print(f"{'load':20}{'TaskHub':>24}{'Pillow':>24}{'faster':>9}{'memory':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for load in LOADS:
            make_originals(Path(folder), load[0], arguments)
            ours, theirs = (in_process(worker, load, folder, arguments) for worker in ("taskhub", "pillow"))
            report(load, ours, theirs)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--worker", choices=["taskhub", "pillow", "originals"])
    parser.add_argument("--load", default="")
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


def in_process(worker: str, load: tuple[str, str, str], folder: str, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.image_processing", "--worker", worker, "--folder", folder]
    command += ["--load", ",".join(load), "--images", str(arguments.images)]
    command += ["--megapixels", str(arguments.megapixels)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def make_originals(folder: Path, made: str, arguments: argparse.Namespace) -> None:
    if not list(folder.glob(f"*.{made.lower()}")):
        in_process("originals", (made, made, "fit"), str(folder), arguments)


def report(load: tuple[str, str, str], ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    columns = [f"{one['rate']:6.1f}/s {one['added']:4.0f} MB ({one['peak']:.0f})" for one in (ours, theirs)]
    faster, memory = ours["rate"] / theirs["rate"], ours["added"] / theirs["added"]
    original, made, mode = load
    print(f"{f'{original} to {made}, {mode}':20}{columns[0]:>24}{columns[1]:>24}{faster:8.1f}x{memory:8.2f}x")


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    original, made, mode = arguments.load.split(",")
    work = {"taskhub": with_taskhub, "pillow": with_pillow, "originals": originals}[arguments.worker]
    files = sorted(arguments.folder.glob(f"*.{original.lower()}"))
    with tempfile.TemporaryDirectory() as folder:
        run = work(files, made, mode, Path(folder), arguments)
        before, started = peak(), time.perf_counter()
        run()
        took = time.perf_counter() - started
    return {"rate": arguments.images / took, "added": peak() - before, "peak": peak()}


def peak() -> float:
    """The most memory this process has had, in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def originals(files: list[Path], made: str, mode: str, folder: Path, arguments: argparse.Namespace) -> Any:
    set_up_django()
    from tasks.handlers.image_processing.samples import landscape

    side = (arguments.megapixels * 1_000_000 / 12) ** 0.5

    def run() -> None:
        for number in range(arguments.images):
            image = landscape(round(4 * side), round(3 * side), seed=number)
            image.write_to_file(str(arguments.folder / f"photo-{number:03}.{made.lower()}"))

    return run


def with_taskhub(files: list[Path], made: str, mode: str, folder: Path, arguments: argparse.Namespace) -> Any:
    set_up_django()
    from tasks.handlers.image_processing.library import vips
    from tasks.testing import MemoryRecorder, run_handler

    vips()

    class FolderRecorder(MemoryRecorder):
        """Moves what is saved into a folder, as TaskHub's storage does."""

        def save_file(self, name: str, content: Any) -> Any:
            os.replace(content, folder / name)
            return super().save_file(name, b"")

    parameters = {"images": files, "output_format": made, "resize": mode, "target_size": f"{SIZE[0]}x{SIZE[1]}"}

    def run() -> None:
        outcome = run_handler("IMAGE_PROCESSING", parameters, recorder=FolderRecorder())
        assert outcome.result["processed_successfully"] == len(files)

    return run


def with_pillow(files: list[Path], made: str, mode: str, folder: Path, arguments: argparse.Namespace) -> Any:
    from PIL import Image, ImageOps

    Image.init()
    options = {
        "JPEG": {"quality": 82, "optimize": True},
        "WEBP": {"quality": 80, "method": 4},
        "AVIF": {"quality": 55, "speed": 6},
        "PNG": {},
    }[made]

    def run() -> None:
        with zipfile.ZipFile(folder / "images.zip", "w") as archive:
            for file in files:
                target = folder / f"{file.stem}.{made.lower()}"
                with Image.open(file) as opened:
                    if mode == "fit":
                        # Before anything touches its pixels: so Pillow can have the decoder shrink, too.
                        opened.thumbnail(SIZE, Image.Resampling.LANCZOS)
                        image = ImageOps.exif_transpose(opened)
                    else:
                        opened.draft("RGB", SIZE)
                        image = ImageOps.exif_transpose(opened).resize(SIZE, Image.Resampling.LANCZOS)
                    image.save(target, made, **options)
                archive.write(target, target.name)

    return run


def set_up_django() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()


if __name__ == "__main__":
    main()
