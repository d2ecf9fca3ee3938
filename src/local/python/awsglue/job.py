"""The Glue job: bookmarks exist only in the cloud, so there is nothing to begin or to commit here."""

from __future__ import annotations

from typing import Any


class Job:
    """Accepts what a script says to a Glue job."""

    def __init__(self, glue_context: Any) -> None:
        self.glue_context = glue_context
        self.name: str | None = None

    def init(self, job_name: str, args: dict[str, str] | None = None) -> None:
        """Begins the job named `job_name`."""
        self.name = job_name

    def commit(self) -> None:
        """Ends the job."""
