"""`manage.py screenshots`: pictures of every screen of the running hub, small, into docs/screenshots."""

from __future__ import annotations

import shutil
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks import registry
from tasks.models import Status, Task

LOOKS = (("light", 1280), ("dark", 1280), ("light", 360))
HEIGHT = 1000  # pixels; what is further down is not shown


def web_address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ArgumentTypeError("give an address such as http://127.0.0.1:8000")
    return text.rstrip("/")


def save_small(picture: bytes, path: Path) -> None:
    """With a palette: a quarter of the bytes, and no eye sees it on flat colours."""
    import pyvips

    pyvips.Image.new_from_buffer(picture, "").pngsave(str(path), palette=True, compression=9)


class Command(BaseCommand):
    help = "Takes pictures of every screen of a running hub, with Playwright and Chromium (requirements-dev.txt)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", type=web_address, default="http://127.0.0.1:8000", help="where the hub runs")
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "docs/screenshots")

    def handle(self, *, url: str, folder: Path, **options: Any) -> None:
        try:
            from playwright.sync_api import sync_playwright
        except ImportError:
            raise CommandError("Playwright is missing: pip install -r requirements-dev.txt.") from None
        folder.mkdir(parents=True, exist_ok=True)
        screens = self.screens()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for theme, width in LOOKS:
                viewport: Any = {"width": width, "height": HEIGHT}
                context = browser.new_context(viewport=viewport, color_scheme="dark" if theme == "dark" else "light")
                context.add_cookies([{"name": "setup", "value": "local-mail", "url": url}])  # a banner that was read
                page = context.new_page()
                for name, path in screens.items():
                    page.goto(f"{url}{path}")
                    save_small(page.screenshot(), folder / f"{name}-{width}-{theme}.png")
                context.close()
            browser.close()
        self.stdout.write(f"{len(screens) * len(LOOKS)} pictures are in {folder}.")

    def screens(self) -> dict[str, str]:
        """Every screen by name; a task of each status where there is one."""
        screens = {
            "tasks": "/",
            "new": "/tasks/new/",
            "form": f"/tasks/new/{next(kind.name for kind in registry.all_types() if not kind.hidden)}/",
            "stats": "/stats/",
            "workers": "/workers/",
            "error": "/nowhere/",
        }
        for status in (Status.SUCCESS, Status.FAILED, Status.RUNNING):
            if task := Task.objects.filter(status=status).newest_first().first():
                screens[f"task-{status.lower()}"] = f"/tasks/{task.pk}/"
        return screens
