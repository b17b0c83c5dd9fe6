"""Photos become encodings of a person, or a reason why not."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facetrail.errors import EncoderMismatch, GalleryError, NoSuchPerson
from facetrail.wire import Encoder
from index.gallery import Gallery
from index.person import EnrolledPerson, checked_name
from index.photos.chip_batches import EncodedFace, in_batches
from index.photos.in_order import in_order
from index.photos.known_people import Similar
from index.photos.look import FoundFace, Look, Rejected, enrolled_already
from index.photos.photo_limits import PhotoLimits
from index.photos.photo_source import PhotoFile, Source, Work
from index.photos.review import Reviewer
from ingest.faces.face import Detector

__all__ = ["REASONS", "Enroller", "Enrolment", "Rejected", "Similar", "Work"]

#: Why a photo is not taken; a fixed list that programs may rely on.
REASONS = (
    "not_an_image",
    "no_face",
    "several_faces",
    "too_small",
    "blurred",
    "turned_away",
    "duplicate_photo",
    "looks_like_other_person",
    "inconsistent_with_other_photos",
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of one person's photos.

    person: None if none was accepted. accepted: names of photos. warnings: who else, enrolled
    before, somebody new may be. removed: somebody took the person out of the gallery while these
    were enrolled, and nothing of them was kept.
    """

    name: str
    person: EnrolledPerson | None
    accepted: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[Similar, ...] = ()
    removed: bool = False


class Enroller:
    """Enrols people by photos. It reads the gallery once: one of these is for one run.

    min_face: least height of the face, in pixels of the photo. min_sharpness, max_yaw: see
    `PhotoLimits`. trust: takes photos although they look like somebody else's. threads: photos
    looked at together; with several the detector must be one that many may use.
    """

    def __init__(
        self,
        gallery: Gallery,
        detector: Detector,
        encoder: Encoder,
        *,
        min_face: int,
        min_sharpness: float = 0.0,
        max_yaw: float = 1.0,
        trust: bool = False,
        threads: int = 1,
    ) -> None:
        self.gallery = gallery
        self.detector = detector
        self.encoder = encoder
        self.threads = threads
        self._look = Look(gallery, detector, PhotoLimits(min_face, min_sharpness, max_yaw))
        self._reviewer = Reviewer(gallery, encoder, trust=trust)

    def enrol(
        self, name: str, photos: Sequence[Path | Source], external_id: str | None = None
    ) -> Enrolment:
        """Takes the photos that can be taken, all in one change of the gallery.

        Raises EncoderMismatch, GalleryError.
        """
        (enrolment,) = self.enrol_all([Work(name, photos, external_id)])
        return enrolment

    def enrol_all(self, people: Iterable[Work]) -> Generator[Enrolment, None, None]:
        """One person after the other, as they come; each is in the gallery whole or not at all.

        What is held in memory does not grow with their number. Raises EncoderMismatch,
        GalleryError.
        """
        steps = (step for work in people for step in _steps(work))
        looked = in_order(self._looked, steps, threads=self.threads)
        seen: list[EncodedFace | Rejected] = []
        for item in in_batches(looked, self.encoder):
            if isinstance(item, Work):
                yield self._enrolled(item, seen)
                seen = []
            else:
                seen.append(item)

    def _looked(self, step: tuple[Work, Source] | Work) -> FoundFace | Rejected | Work:
        return step if isinstance(step, Work) else self._look.at(step[1], step[0].name)

    def _enrolled(self, work: Work, seen: Sequence[EncodedFace | Rejected]) -> Enrolment:
        first: dict[str, EncodedFace] = {}
        for one in seen:
            if isinstance(one, EncodedFace):
                first.setdefault(one.photo.digest, one)
        if not first:
            rejected = tuple(one for one in seen if isinstance(one, Rejected))
            return Enrolment(work.name, None, (), rejected)
        review = self._reviewer.review(work.name, list(first.values()))
        good = [face for digest, face in first.items() if digest not in review.refused]
        try:
            person, taken = self._written(work, good)
        except NoSuchPerson:
            rejected = tuple(_answers(seen, first, review.refused))
            return Enrolment(work.name, None, (), rejected, removed=True)
        refused = review.refused | taken
        accepted = [face for digest, face in first.items() if digest not in refused]
        if person is not None:
            self._reviewer.remember(person, review, accepted)
        return Enrolment(
            work.name,
            person,
            tuple(face.source.name for face in accepted),
            tuple(_answers(seen, first, refused)),
            review.warnings(accepted),
        )

    def _written(
        self, work: Work, faces: Sequence[EncodedFace]
    ) -> tuple[EnrolledPerson | None, dict[str, Rejected]]:
        """The person in the gallery; by digest, what somebody else has enrolled meanwhile.

        Raises NoSuchPerson if they were removed meanwhile.
        """
        taken: dict[str, Rejected] = {}
        while left := [face for face in faces if face.photo.digest not in taken]:
            photos = [face.photo for face in left]
            try:
                person = self.gallery.enrol(
                    work.name, photos, encoder=self.encoder.id, external_id=work.external_id
                )
                return person, taken
            except (EncoderMismatch, NoSuchPerson):
                raise
            except GalleryError:
                lost = self._lost(left, work.name)
                if not lost:
                    raise
                taken |= lost
        return None, taken

    def _lost(self, faces: Sequence[EncodedFace], name: str) -> dict[str, Rejected]:
        """By digest, those that are enrolled by now."""
        owners = {face.photo.digest: self._look.owner_of(face.photo.digest) for face in faces}
        return {
            face.photo.digest: enrolled_already(face.source, owner, name)
            for face in faces
            if (owner := owners[face.photo.digest]) is not None
        }


def _steps(work: Work) -> Iterator[tuple[Work, Source] | Work]:
    """Each photo of a person, and then that there are no more. Raises GalleryError."""
    named = Work(checked_name(work.name), work.photos, work.external_id)
    for photo in work.photos:
        yield named, PhotoFile(photo) if isinstance(photo, Path) else photo
    yield named


def _answers(
    seen: Sequence[EncodedFace | Rejected],
    first: dict[str, EncodedFace],
    refused: dict[str, Rejected],
) -> Iterator[Rejected]:
    """Why each photo that was not taken was not."""
    for one in seen:
        if isinstance(one, Rejected):
            yield one
        elif one is not first[one.photo.digest]:
            yield _given_twice(one, first[one.photo.digest])
        elif one.photo.digest in refused:
            yield refused[one.photo.digest]


def _given_twice(one: EncodedFace, first: EncodedFace) -> Rejected:
    sentence = f"{one.source.name} is the same photo as {first.source.name}; leave it out"
    return Rejected(one.source.name, "duplicate_photo", sentence)
