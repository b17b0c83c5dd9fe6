"""An import: whole and unaltered, or refused in one sentence and nothing is changed."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import redis

from facetrail.errors import BadExport, EncoderMismatch, GalleryError
from index.gallery import Gallery
from index.photo import Photo
from index.transfer.export_lines import MOST_LINE
from index.transfer.import_file import ImportFile
from index.transfer.importing import check, import_people
from tests.index.exports import (
    CALIBRATION,
    ENCODER,
    enrol_many,
    enrol_three,
    everything,
    exported,
    imported,
    never_asked,
    real_photo,
)

PLAIN = msgspec.to_builtins(CALIBRATION)
Change = Callable[[list[dict[str, object]]], object]


@pytest.fixture
def whole(gallery: Gallery, client: redis.Redis, tmp_path: Path) -> bytes:
    """An export of three people, into a gallery where Dora is."""
    enrol_three(gallery)
    data = exported(gallery, tmp_path / "whole").read_bytes()
    client.flushdb()
    gallery.enrol("Dora", [real_photo(20)], encoder=ENCODER)
    return data


def refused(data: bytes, gallery: Gallery, path: Path) -> str:
    """The sentence by which a file of these bytes is refused, whole as the gallery stays."""
    path.write_bytes(data)
    before = everything(gallery.client)
    with pytest.raises(GalleryError) as caught:
        imported(path, gallery)
    assert everything(gallery.client) == before
    sentence = str(caught.value)
    assert str(path) in sentence and "\n" not in sentence and len(sentence) < 400
    assert isinstance(caught.value, BadExport), sentence
    return sentence


def framed(content: list[dict[str, object]]) -> bytes:
    """A file of these lines, with an end that fits them whatever they are."""
    lines = b"".join(msgspec.json.encode(line) + b"\n" for line in content)
    end = {
        "type": "end",
        "people": sum(line["type"] == "person" for line in content),
        "photos": sum(line["type"] == "photo" for line in content),
        "sha256": hashlib.sha256(lines).hexdigest(),
    }
    return lines + msgspec.json.encode(end) + b"\n"


def content_of(data: bytes) -> list[dict[str, object]]:
    """All lines but the end."""
    return [json.loads(line) for line in data.splitlines()[:-1]]


def test_what_is_framed_by_a_test_can_be_imported(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    (tmp_path / "people").write_bytes(framed(content_of(whole)))
    imported(tmp_path / "people", gallery)
    assert len(gallery.people()) == 4


def test_a_file_cut_short_anywhere_is_refused(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    drawn = np.random.default_rng(0).integers(20, len(whole), 30).tolist()
    near = [end + by for end in ends for by in (-1, 0, 1) if end + by < len(whole)]
    for length in sorted({*near, *drawn}):
        sentence = refused(whole[:length], gallery, tmp_path / "people")
        assert "cut short" in sentence, length


def test_a_byte_altered_anywhere_is_refused(whole: bytes, gallery: Gallery, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    end = whole.rindex(b"\n", 0, -1) + 1
    places = {0, 1, end - 1, len(whole) - 1, *range(end, len(whole), 7)}
    for place in sorted(places | set(rng.integers(0, len(whole), 60).tolist())):
        data = bytearray(whole)
        data[place] ^= 1 << int(rng.integers(0, 8))
        refused(bytes(data), gallery, tmp_path / "people")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"name,photo\nada,ada.jpg\n",
        b"{}\n",
        b"\n\n",
        b'{"type":"end"}\n',
        bytes(100_000),
    ],
    ids=["empty", "letter", "table", "json", "lines", "end", "zeros"],
)
def test_what_is_no_export_is_said_to_be_none(
    data: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    assert "is no export of a gallery" in refused(data, gallery, tmp_path / "people")


def test_a_zip_is_no_export_whatever_is_in_it(gallery: Gallery, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../people.jsonl", bytes(10_000_000))
    assert "is no export" in refused(packed.getvalue(), gallery, tmp_path / "people")


def test_a_folder_and_a_file_that_is_not_there_are_named(gallery: Gallery, tmp_path: Path) -> None:
    for path, words in ((tmp_path, "Is a directory"), (tmp_path / "no", "No such file")):
        with pytest.raises(BadExport, match=f"{path} can't be read .{words}"):
            imported(path, gallery)


def test_a_newer_version_is_refused_with_the_mend(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    head, *rest = content_of(whole)
    newer = framed([{**head, "version": 2, "encoder": ["of another shape"]}, *rest])
    assert refused(newer, gallery, tmp_path / "people").endswith(
        "is of version 2 of the format, and this Facetrail reads up to 1: update it here, or "
        "export with the older one"
    )


def test_a_field_that_is_not_known_is_passed_over(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    content: list[dict[str, object]] = [{**line, "more": [1]} for line in content_of(whole)]
    (tmp_path / "people").write_bytes(framed(content))
    imported(tmp_path / "people", gallery)
    assert len(gallery.people()) == 4


def _last_photo_of_ben_is_not_him(content: list[dict[str, object]]) -> None:
    ben = next(i for i, line in enumerate(content) if line.get("name") == "Ben")
    content[ben + 1]["negative"] = True


def picture(size: tuple[int, int], kind: str = ".jpg") -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    return bytes(cv2.imencode(kind, noise)[1].tobytes())


def huge() -> bytes:
    """A chip that says it is of 60 000 by 60 000 pixels."""
    chip = real_photo(1).chip
    size = chip.index(bytes([0, 112, 0, 112]))
    return chip[:size] + bytes([0xEA, 0x60] * 2) + chip[size + 4 :]


def _first(kind: str, **fields: object) -> Change:
    def change(content: list[dict[str, object]]) -> None:
        next(line for line in content if line["type"] == kind).update(fields)

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content.pop(1), "line 2: expected a person before the first photo"),
        (lambda content: content.append(content[0]), "altered or damaged"),
        (lambda content: content.append(content[-1]), "photo .* is there twice"),
        (
            lambda content: content.append({**content[1], "name": "ADA STRASSE", "id": "0" * 12}),
            "ADA STRASSE is there twice, by name or by id",
        ),
        (
            lambda content: content.append(
                next({**line, "name": "X"} for line in content if line["type"] == "person")
            ),
            "X is there twice, by name or by id",
        ),
        (_last_photo_of_ben_is_not_him, "Ben has no photo, expected one at least"),
        (_first("person", id="../../etc"), "expected an id of 12 digits, got '../../etc'"),
        (_first("person", id="A" * 12), "expected an id of 12 digits"),
        (_first("person", name="two\nlines"), "a person's name has 1 to 200 printable"),
        (_first("person", name="x" * 100_000), "a person's name has 1 to 200 .* got 100000"),
        (_first("person", name="A\x1b[2Jda"), r"a person's name has .* 'A\\x1b\[2Jda'"),
        (_first("person", name="\u202eadA"), "a person's name has 1 to 200 printable"),
        (_first("person", external_id="e\0"), "a person's name has 1 to 200 printable"),
        (_first("person", tags=["day", "\x1b[2J"]), "a person's name has 1 to 200 printable"),
        (_first("person", notes="x" * 2001), "notes have at most 2000 characters"),
        (_first("person", tags=[str(i) for i in range(51)]), "expected at most 50 tags, got 51"),
        (_first("person", active_from="soon"), "'soon' is no time"),
        (_first("person", enrolled_at="soon"), "was enrolled at 'soon', no time"),
        (_first("person", enrolled_at="2027-01-15\x1b08:00"), "was enrolled at .*, no time"),
        (_first("person", ignored="yes"), "altered or damaged, in line 2"),
        (_first("photo", digest="7" * 63), "expected a photo's SHA-256 as 64 digits"),
        (_first("photo", digest="../x"), "expected a photo's SHA-256 as 64 digits"),
        (_first("photo", source="x" * 1001), "has a source of 1001 characters"),
        (_first("photo", encoding=bytes(512)), "has an encoding that is not 512 bytes of length 1"),
        (_first("photo", encoding=b"\xff" * 512), "has an encoding that is not 512 bytes"),
        (_first("photo", encoding=real_photo(1).encoding[:-4]), "has an encoding that is not"),
        (_first("photo", chip=b""), "has a chip that is no 112x112 JPEG in colour"),
        (_first("photo", chip=picture((111, 112))), "has a chip that is no 112x112 JPEG"),
        (_first("photo", chip=picture((112, 112), ".png")), "has a chip that is no 112x112 JPEG"),
        (_first("photo", chip=real_photo(1).chip[:4000]), "has a chip that is no 112x112 JPEG"),
        (_first("photo", chip=huge()), "has a chip that is no 112x112 JPEG"),
        (_first("photo", chip=real_photo(1).chip + bytes(200_000)), "has a chip of .* bytes"),
        (_first("photo", chip=bytes(MOST_LINE)), "altered or damaged, in line 3"),
        (_first("gallery", encoder="two\nlines@1"), "altered or damaged, in line 1"),
        (_first("gallery", calibration={"threshold": 9}), "altered or damaged, in line 1"),
        (
            _first("gallery", calibration={**PLAIN, "calibrated_at": "\x1b[2J"}),
            "altered or damaged, in line 1",
        ),
        (
            _first("gallery", calibration={**PLAIN, "calibrated_at": "2027-01-15\x1b08:00"}),
            "altered or damaged, in line 1",
        ),
        (_first("gallery", version=0), "altered or damaged, in line 1"),
        (_first("gallery", version="1"), "is no export of a gallery"),
        (_first("gallery", format="another"), "is no export of a gallery"),
    ],
)
def test_content_that_the_gallery_could_not_keep_is_refused(
    whole: bytes, gallery: Gallery, tmp_path: Path, change: Change, sentence: str
) -> None:
    content = content_of(whole)
    change(content)
    found = refused(framed(content), gallery, tmp_path / "people")
    assert re.search(sentence, found), found


def test_a_line_without_end_is_not_read_to_its_end(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    first = whole[: whole.index(b"\n") + 1]
    sentence = refused(first + b'{"type":"' + b"x" * 3_000_000, gallery, tmp_path / "people")
    assert "altered or damaged, in line 2" in sentence


def test_lines_after_the_end_are_refused(whole: bytes, gallery: Gallery, tmp_path: Path) -> None:
    for more in (b"\n", b"x", whole):
        sentence = refused(whole + more, gallery, tmp_path / "people")
        assert "altered or damaged" in sentence


def test_the_gallery_s_encoder_must_be_the_file_s(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    # Given a gallery of another encoder
    gallery.remove("Dora")
    gallery.enrol("Dora", [real_photo(20)], encoder="retail0095@580937da")
    (tmp_path / "people").write_bytes(whole)
    before = everything(gallery.client)

    # I expect the sentence to say how the two are brought together
    with pytest.raises(EncoderMismatch) as caught:
        imported(tmp_path / "people", gallery)
    assert str(caught.value).startswith(
        f"{tmp_path / 'people'} is of encoder {ENCODER}, and the gallery belongs to "
        "retail0095@580937da: move the gallery with `facetrail people re-encode --encoder "
        "dlib_resnet`"
    )
    assert everything(gallery.client) == before


def _same_id(gallery: Gallery, data: bytes) -> None:
    _rewritten(gallery, data, {"name": "Somebody else"})


def _same_name(gallery: Gallery, data: bytes) -> None:
    gallery.enrol(" bEN ", [real_photo(30)], encoder=ENCODER)


def _same_photo(gallery: Gallery, data: bytes) -> None:
    gallery.enrol("Somebody else", [real_photo(4)], encoder=ENCODER)


def _rewritten(gallery: Gallery, data: bytes, fields: dict[str, object]) -> None:
    """Enrols Ben with his id, by other fields and another photo."""
    content = content_of(data)
    ben = next(i for i, line in enumerate(content) if line.get("name") == "Ben")
    photo = msgspec.to_builtins(real_photo(30)) | {"type": "photo"}
    path = Path(str(gallery.client.get("path").decode()))
    path.write_bytes(framed([content[0], content[ben] | fields, photo]))
    gallery.client.delete("path")
    imported(path, gallery)


@pytest.mark.parametrize("there", [_same_id, _same_name, _same_photo])
def test_who_is_there_already_stops_it_or_is_left_out_whole(
    whole: bytes,
    gallery: Gallery,
    tmp_path: Path,
    there: Callable[[Gallery, bytes], None],
) -> None:
    # Given a gallery where Ben is, by id, name or photo
    gallery.client.set("path", str(tmp_path / "ben"))
    there(gallery, whole)
    gallery.client.delete("path")
    path = tmp_path / "people"
    path.write_bytes(whole)
    before = everything(gallery.client)
    people = {person.id: person for person in gallery.people()}

    # I expect him to be named, and nothing to be changed
    with pytest.raises(GalleryError) as caught:
        imported(path, gallery)
    assert str(caught.value) == (
        f"nobody was imported, since 1 of {path} are enrolled already, by id, name or photo "
        "(Ben): leave them out with --skip-existing, or remove them first"
    )
    assert everything(gallery.client) == before

    # and, if he is left out, the others to come, and who was there to be as before
    with ImportFile(path, never_asked) as file:
        checked = check(file, gallery, skip_existing=True)
    assert (checked.people, checked.photos, len(checked.skipped)) == (2, 4, 1)
    imported(path, gallery, skip_existing=True)
    names = {person.name for person in gallery.people()}
    assert {"Ada Straße", "Cleo", "Dora"} <= names and "Ben" not in names
    assert {person.id: person for person in gallery.people()}.items() >= people.items()


def test_all_of_them_being_there_already_changes_nothing(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    (tmp_path / "people").write_bytes(whole)
    imported(tmp_path / "people", gallery)
    before = everything(gallery.client)

    assert imported(tmp_path / "people", gallery, skip_existing=True).calibrated is None
    assert everything(gallery.client) == before
    with pytest.raises(GalleryError, match=r"since 3 of .* \(Ada Straße, Ben, Cleo\)"):
        imported(tmp_path / "people", gallery)


def test_of_many_who_are_there_only_a_few_are_named(gallery: Gallery, tmp_path: Path) -> None:
    enrol_many(gallery, 7)
    path = exported(gallery, tmp_path / "people")
    with pytest.raises(GalleryError, match=r"since 7 of .* \(P1000, P1001, .*P1004 …\): leave"):
        imported(path, gallery)


def test_checking_changes_nothing(whole: bytes, gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "people").write_bytes(whole)
    before = everything(gallery.client)
    with ImportFile(tmp_path / "people", never_asked) as file:
        checked = check(file, gallery, skip_existing=False)
    assert (checked.people, checked.photos, checked.skipped) == (3, 5, frozenset())
    assert (checked.own, checked.head.encoder) == (ENCODER, ENCODER)
    assert everything(gallery.client) == before


def test_the_gallery_s_own_calibration_holds_on(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    own = msgspec.structs.replace(CALIBRATION, threshold=0.3)
    gallery.calibrate(ENCODER, own)
    (tmp_path / "people").write_bytes(whole)
    assert imported(tmp_path / "people", gallery).calibrated is False
    assert gallery.calibration(ENCODER) == own


def test_a_file_that_changes_while_it_is_read_is_refused(
    whole: bytes, gallery: Gallery, tmp_path: Path
) -> None:
    # Given a file that is whole when it is checked
    path = tmp_path / "people"
    path.write_bytes(whole)
    before = everything(gallery.client)
    with ImportFile(path, never_asked) as file:
        checked = check(file, gallery, skip_existing=False)

        # If other people, also whole, are written into it before it is read again
        path.write_bytes(framed(content_of(whole)[:1]))
        with pytest.raises(GalleryError, match="has changed while it was read: import it again"):
            import_people(file, gallery, checked)
    assert everything(gallery.client) == before


def test_photos_of_every_kind_keep_their_order_in_nothing_but_their_owner(
    gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    # Given people whose slots have been used before
    enrol_many(gallery, 20, photos=3)
    for person in gallery.people()[::2]:
        gallery.remove(person.name)
    path = exported(gallery, tmp_path / "people")
    left = {person.id: gallery.photos(person.id) for person in gallery.people()}
    client.flushdb()
    enrol_many(gallery, 20, photos=3, first=5000)
    for person in gallery.people()[::2]:
        gallery.remove(person.name)

    # I expect the import to take free slots first, and each photo to keep its encoding
    imported(path, gallery)
    assert gallery.count_slots() == 60
    for person_id, photos in left.items():
        found = {photo.digest: photo for photo in gallery.photos(person_id)}
        assert found == {photo.digest: photo for photo in photos}


def test_photo_is_what_a_line_says(whole: bytes) -> None:
    lines = [line for line in content_of(whole) if line["type"] == "photo"]
    fields = set(Photo.__struct_fields__)
    assert {frozenset(line) - {"type"} for line in lines} == {frozenset(fields)}
