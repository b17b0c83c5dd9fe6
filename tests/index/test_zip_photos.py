"""A zip is read in memory, member by member, and believed in nothing."""

from __future__ import annotations

import random
import struct
import threading
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest

from facetrail.errors import BadPicture
from index.photos import zip_photos
from index.photos.photo_source import PhotoSource
from index.photos.portrait import MOST_BYTES
from index.photos.zip_photos import ZipPhotos

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make({"Ada/1.jpg": b"..."})`: a zip of these members."""

    def written(members: Mapping[str, bytes], **options: int) -> Path:
        path = tmp_path / "people.zip"
        with zipfile.ZipFile(path, "w", **{"compression": zipfile.ZIP_DEFLATED} | options) as made:
            for name, data in members.items():
                made.writestr(name, data)
        return path

    return written


def names(sources: list[PhotoSource]) -> list[str]:
    return [source.kept_as for source in sources]


def refused(path: Path) -> str:
    """The one sentence by which a whole zip is refused."""
    with pytest.raises(BadPicture) as bad, ZipPhotos(path):
        pass
    assert bad.value.reason == "not_an_image"
    assert "\n" not in str(bad.value) and len(str(bad.value)) < 300
    assert str(bad.value).startswith(str(path))
    return str(bad.value)


def test_a_folder_in_it_is_a_person_and_its_pictures_are_theirs(make: Make) -> None:
    path = make(
        {
            "Ada/": b"",
            "Ada/2.JPG": b"two",
            "Ada/1.png": b"one",
            "Ada/notes.txt": b"no picture",
            "Ben/3.jpeg": b"three",
            "__MACOSX/Ada/._1.png": b"a system's own",
            "Ada/.hidden.jpg": b"hidden",
        }
    )
    with ZipPhotos(path) as archive:
        people = archive.people()
        assert {name: names(photos) for name, photos in people.items()} == {
            "Ada": ["1.png", "2.JPG"],
            "Ben": ["3.jpeg"],
        }
        assert people["Ada"][0].read() == b"one"
        assert people["Ada"][0].name == f"{path}/Ada/1.png"
        assert names(archive.photos()) == ["1.png", "2.JPG", "3.jpeg"]


def test_one_folder_around_all_people_is_passed_over(make: Make) -> None:
    with ZipPhotos(make({"all/Ada/1.jpg": b"1", "all/Ben/2.jpg": b"2"})) as archive:
        assert list(archive.people()) == ["Ada", "Ben"]
        assert archive.loose() == 0
    with ZipPhotos(make({"Ada/1.jpg": b"1", "Ada/trip/2.jpg": b"2", "3.jpg": b"3"})) as archive:
        assert {name: names(photos) for name, photos in archive.people().items()} == {
            "Ada": ["1.jpg"]
        }
        assert archive.loose() == 2


def test_a_zip_without_photos_is_refused(make: Make) -> None:
    with ZipPhotos(make({"Ada/notes.txt": b""})) as archive:
        with pytest.raises(BadPicture, match="has no file that is called like a picture"):
            archive.photos()
        with pytest.raises(BadPicture, match="has no folder with photos"):
            archive.people()


@pytest.mark.parametrize(
    "name",
    [
        "/etc/1.jpg",
        "../1.jpg",
        "Ada/../../1.jpg",
        "C:/1.jpg",
        "c:1.jpg",
        "Ada\\1.jpg",
        "..",
        "\\\\x",
    ],
)
def test_a_member_that_leaves_its_folder_refuses_the_whole(make: Make, name: str) -> None:
    path = make({"Ada/1.jpg": b"good", name: b"bad"})
    assert "whose path leaves its folder" in refused(path)


def test_a_member_with_a_nul_in_its_name_refuses_the_whole(make: Make) -> None:
    path = make({"Ada/1.jpg": b"good", "Ada/2.jpg~/x": b"bad"})
    path.write_bytes(path.read_bytes().replace(b"Ada/2.jpg~/x", b"Ada/2.jpg\0/x"))
    assert "whose path leaves its folder" in refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack_are_refused(make: Make, method: int) -> None:
    assert "packed in a way that is not read" in refused(
        make({"Ada/1.jpg": b"x"}, compression=method)
    )


def test_an_encrypted_zip_is_refused(make: Make) -> None:
    path = make({"Ada/1.jpg": b"good"})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    assert "is encrypted" in refused(path)


def test_a_zip_in_a_zip_is_not_opened(make: Make) -> None:
    inner = BytesIO()
    with zipfile.ZipFile(inner, "w") as made:
        made.writestr("1.jpg", b"x")
    with ZipPhotos(make({"Ada/more.zip": inner.getvalue(), "Ada/2.jpg": b"2"})) as archive:
        good, nested = archive.people()["Ada"]
        assert good.read() == b"2"
        with pytest.raises(BadPicture, match="is a zip in a zip, which is not opened"):
            nested.read()


def test_a_member_larger_than_a_photo_is_never_unpacked(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make({"Ada/bomb.jpg": bytes(MOST_BYTES + 1), "Ada/good.jpg": b"x"})
    assert path.stat().st_size < 100_000
    with ZipPhotos(path) as archive:
        bomb, good = archive.photos()
        monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was opened"))
        with pytest.raises(BadPicture, match="50.0 MB") as bad:
            bomb.read()
        assert (bad.value.value, bad.value.limit) == (MOST_BYTES + 1, MOST_BYTES)


def test_a_member_that_declares_less_than_it_holds_is_damaged(make: Make) -> None:
    path = make({"Ada/bomb.jpg": bytes(MOST_BYTES + 1)})
    data = bytearray(path.read_bytes())
    for signature, size in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place = data.index(signature) + size
        data[place : place + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    with ZipPhotos(path) as archive:
        (bomb,) = archive.photos()
        with pytest.raises(BadPicture, match="is damaged"):
            bomb.read()


def test_more_members_than_anyone_has_are_refused_before_they_are_listed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make({f"Ada/{number}.jpg": b"x" for number in range(11)})
    monkeypatch.setattr(zip_photos, "MOST_MEMBERS", 11)
    with ZipPhotos(path) as archive:
        assert len(archive.photos()) == 11
    monkeypatch.setattr(zip_photos, "MOST_MEMBERS", 10)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was listed"))
    assert "has 11 members, and 10 are taken at most" in refused(path)

    # and also where the end of the zip says that there are fewer
    data = bytearray(path.read_bytes())
    data[-12:-10] = struct.pack("<H", 5)
    path.write_bytes(data)
    assert "has 11 members, and 10 are taken at most" in refused(path)
    monkeypatch.setattr(zip_photos, "MOST_LIST", 100)
    assert "has a list of members of 0.0 MB, and 0.0 are read at most" in refused(path)


def test_a_zip_of_many_files_says_so_in_its_larger_end(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make({f"Ada/{number}.jpg": b"" for number in range(65_540)})
    with ZipPhotos(path) as archive:
        assert len(archive.photos()) == 65_540
    monkeypatch.setattr(zip_photos, "MOST_MEMBERS", 65_538)
    assert "has 65540 members" in refused(path)

    # and also where this says that there are fewer, and something lies around the zip
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\6\6") + 24
    data[place : place + 16] = struct.pack("<QQ", 5, 5)
    path.write_bytes(b"before" + data[:-2] + struct.pack("<H", 5) + b"after")
    assert "has 65540 members" in refused(path)


def test_names_in_any_encoding_are_read(make: Make) -> None:
    # Given a name that says it is UTF-8, one that is and does not say so, and one of neither kind
    path = make({"Zoë/1.jpg": b"1", "Aaaaaa/2.jpg": b"2", "Bbb/3.jpg": b"3"})
    data = path.read_bytes()
    assert data.count(b"Aaaaaa") == data.count(b"Bbb") == 2
    path.write_bytes(data.replace(b"Aaaaaa", "Zażó".encode()).replace(b"Bbb", b"B\x81r"))

    # I expect the first two as they are meant, and the last as the format says
    with ZipPhotos(path) as archive:
        read = {name: photos[0].read() for name, photos in archive.people().items()}
    assert read == {"Zoë": b"1", "Zażó": b"2", "Bür": b"3"}


def test_a_name_that_says_it_is_utf_8_and_is_not_is_one_sentence(make: Make) -> None:
    path = make({"Zoë/1.jpg": b"1"})
    path.write_bytes(path.read_bytes().replace("ë".encode(), b"\xff\xff"))
    assert "is no zip that can be read" in refused(path)


def test_a_name_with_a_line_break_is_shown_in_one_line(make: Make) -> None:
    with ZipPhotos(make({"A\nda/1\x1b.jpg": b"1"})) as archive:
        (photo,) = archive.photos()
        assert photo.name.isprintable()
        assert photo.read() == b"1"


@pytest.mark.parametrize("data", [b"", b"dear diary", b"PK\5\6", b"PK\3\4" + bytes(100)])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "people.zip"
    path.write_bytes(data)
    assert "is no zip that can be read" in refused(path)
    assert "can't be read (Is a directory)" in refused(tmp_path)
    assert "can't be read (No such file or directory)" in refused(tmp_path / "gone.zip")


def test_spoiled_bytes_are_one_sentence_or_the_photos_as_they_were(make: Make) -> None:
    members = {f"Ada/{number}.jpg": b"%d" % number * 50 for number in range(5)}
    path = make(members)
    whole = path.read_bytes()
    draw = random.Random(0)
    read = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data[: draw.choice((len(data), draw.randrange(len(data))))])
        try:
            with ZipPhotos(path) as archive:
                for photo in archive.photos():
                    read += photo.read() in members.values()
        except BadPicture as error:
            assert error.reason == "not_an_image"
    assert read > 100


def test_many_threads_read_one_zip(make: Make) -> None:
    members = {f"Ada/{number:03}.jpg": b"%03d" % number * 9000 for number in range(64)}
    start = threading.Barrier(4, timeout=30)
    with ZipPhotos(make(members)) as archive, ThreadPoolExecutor(4) as pool:
        photos = archive.photos()

        def read(part: int) -> list[bytes]:
            start.wait()
            return [photo.read() for photo in photos[part::4]]

        parts = list(pool.map(read, range(4)))
    assert [parts[number % 4][number // 4] for number in range(64)] == list(members.values())
