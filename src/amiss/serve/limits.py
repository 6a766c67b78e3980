"""What a server takes before it says no; together these numbers bound its memory and its answering time."""

from __future__ import annotations

from dataclasses import dataclass, fields

from amiss.contracts import InputError

MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What the server takes before it says no; together these bound its memory and its answering time."""

    body_mb: float = 32
    """Megabytes of one request's body."""
    json_mb: float = 8
    """Megabytes of one JSON document, which takes far more memory than its text."""
    held_mb: float = 256
    """Megabytes of all bodies that are held at one time."""
    megapixels: float = 25
    """Pixels of one image, in millions, read from its header before it is decoded."""
    images: int = 64
    """Images in one request."""
    queue: int = 1024
    """Images of one model that are accepted and not yet answered; more are told to come later."""
    batch: int = 64
    """Images that are scored at once."""
    wait_ms: float = 5
    """Milliseconds for which a batch that is not full waits for images that are still being decoded."""
    body_seconds: float = 20
    """Seconds in which a body has to arrive."""
    answer_seconds: float = 30
    """Seconds in which an accepted request has to be scored; it is told to come later after that."""
    connections: int = 512
    """Connections that are open at one time."""

    def __post_init__(self) -> None:
        """Raise InputError for numbers that are not positive, and for a queue that holds less than one request may."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0 and not (field.name == "wait_ms" and value == 0):
                raise InputError(f"--limits.{field.name.replace('_', '-')} {value} must be more than 0")
        if self.images > self.queue:
            raise InputError(
                f"--limits.images {self.images} is more than --limits.queue {self.queue}: such a request would never "
                "be accepted"
            )

    @property
    def body_bytes(self) -> int:
        """Bytes of one body."""
        return int(self.body_mb * MB)

    @property
    def json_bytes(self) -> int:
        """Bytes of one JSON document."""
        return int(min(self.json_mb, self.body_mb) * MB)

    @property
    def held_bytes(self) -> int:
        """Bytes of all bodies; at least one of the largest fits."""
        return int(max(self.held_mb, self.body_mb) * MB)

    @property
    def pixels(self) -> int:
        """Pixels of one image."""
        return int(self.megapixels * 1_000_000)
