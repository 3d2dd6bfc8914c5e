"""What is said where a picture cannot be shown."""

from __future__ import annotations

from typing import Final

NO_IMAGE: Final = "This image is not among the decoded ones"
READ_AGAIN: Final = "Read the images again on the Data page."
