"""The task type IMAGE_PROCESSING; `task` has the handler, the other modules its steps."""

from tasks.handlers.image_processing.task import image_processing

__all__ = ["image_processing"]
