"""Reading the published image sets from their official files, wherever those are on this machine."""

from __future__ import annotations

from gradlab.task.readers.locate import locate, places
from gradlab.task.readers.published import PUBLISHED, Published
from gradlab.task.readers.read import Images, read

__all__ = ["PUBLISHED", "Images", "Published", "locate", "places", "read"]
