"""Who of an export is in the gallery already."""

from __future__ import annotations

from index.person import EnrolledPerson, spelling
from index.reader import GalleryReader
from index.transfer.import_file import Item

#: People and photos asked for at once.
AT_ONCE = 1000


class Present:
    """Takes people and their photos, and finds those who are there: by id, name or photo.

    found: their names by their id in the export. photos: of everyone taken, how many, by id.
    """

    def __init__(self, gallery: GalleryReader) -> None:
        self.found: dict[str, str] = {}
        self.photos: dict[str, int] = {}
        self._gallery = gallery
        self._last: EnrolledPerson | None = None
        self._people: list[EnrolledPerson] = []
        self._photos: list[tuple[str, EnrolledPerson]] = []

    def take(self, item: Item) -> None:
        """Raises RedisError."""
        if isinstance(item, EnrolledPerson):
            self._last = item
            self._people.append(item)
            self.photos[item.id] = 0
        elif self._last is not None:
            self._photos.append((item.digest, self._last))
            self.photos[self._last.id] += 1
        if len(self._people) + len(self._photos) >= AT_ONCE:
            self.ask()

    def ask(self) -> None:
        """Of those taken last. Raises RedisError."""
        keys = self._gallery.keys
        people, photos = self._people, self._photos
        with self._gallery.client.pipeline(transaction=False) as pipe:
            if people:
                pipe.hmget(keys.gallery_people, [person.id for person in people])
                pipe.hmget(keys.gallery_names, [spelling(person.name) for person in people])
            if photos:
                pipe.hmget(keys.gallery_digests, [digest for digest, _ in photos])
            answers = [there for answer in pipe.execute() for there in answer]
        asked = [*people, *people, *(person for _, person in photos)]
        for person, there in zip(asked, answers, strict=True):
            if there is not None:
                self.found[person.id] = person.name
        self._people, self._photos = [], []
