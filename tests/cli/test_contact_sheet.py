"""Pictures of many on one sheet, whatever the pictures are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetrail.cli.contact_sheet import MOST_ROWS, Row, contact_sheet
from facetrail.cli.picture_file import save
from facetrail.errors import BadSettings
from tests.workers.conftest import jpeg


def test_a_picture_that_would_be_vast_leaves_its_place_empty() -> None:
    # Given a picture, and the same that says it has some gigapixels, or a hundred megapixels
    bombs = []
    for side in (65_000, 10_000):
        bomb = bytearray(jpeg())
        place = bomb.index(b"\xff\xc0") + 5
        bomb[place : place + 4] = side.to_bytes(2) * 2
        bombs.append(bytes(bomb))
    sheet = np.asarray(contact_sheet([Row("unknown-7f3a", "", [*bombs, jpeg()])]))
    tiles = sheet[46:200, 20:160], sheet[46:200, 204:344], sheet[46:200, 388:528]
    assert [tile.std() > 20 for tile in tiles] == [False, False, True]


def test_a_sheet_of_many_is_refused_as_webp_with_the_mend(tmp_path: Path) -> None:
    sheet = contact_sheet([Row(str(number), "", []) for number in range(MOST_ROWS)])
    with pytest.raises(BadSettings, match="end its name in .png"):
        save(sheet, tmp_path / "them.webp")
    save(sheet, tmp_path / "them.png")
