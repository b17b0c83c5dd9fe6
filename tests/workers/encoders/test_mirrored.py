"""The mirrored chip averaged in, as an option of every encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetrail.wire import Chips, Encoder
from ingest.faces.align import TEMPLATE
from workers.encoders.axis import MIRRORED_COLUMNS
from workers.encoders.registry import ENTRIES, Entry, entry_of

EACH = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.name))


def test_both_encodings_are_summed_and_faces_look_more_alike(
    encoder: Encoder, cache_dir: Path, chips: Chips
) -> None:
    # Given chips of two people and their mirror images, encoded one by one
    plain, images = (encoder.encode(c) for c in (chips, chips[:, :, list(MIRRORED_COLUMNS)]))

    # If the encoder with the mirrored chip averaged in is given them
    entry = entry_of("dlib_resnet+mirrored")
    model = entry.builder(None, cache_dir)()
    found = np.asarray(model(chips.astype(np.float32)))

    # I expect the sum of length 1, by which a face is nearer to its mirror image
    total = plain + images
    expected = total / np.linalg.norm(total, axis=1, keepdims=True)
    assert found == pytest.approx(expected, abs=1e-5)
    apart = [float(np.linalg.norm(rows[0] - rows[2])) for rows in (plain, found)]
    assert apart[1] < apart[0] / 2


def test_the_template_stays_where_it_is() -> None:
    # Given where each column of the mirror image comes from
    assert sorted(set(MIRRORED_COLUMNS)) == list(range(1, 112))

    # If the template's points are mirrored so
    mirrored = TEMPLATE[:, 0].copy()
    for point, column in enumerate(TEMPLATE[:, 0]):
        mirrored[point] = np.interp(column, range(112), MIRRORED_COLUMNS)

    # I expect left where right was, to a third of a pixel
    assert mirrored[[1, 0, 2, 4, 3]] == pytest.approx(TEMPLATE[:, 0], abs=0.35)


@EACH
def test_its_id_says_so(entry: Entry) -> None:
    found = entry_of(f"{entry.name}+mirrored")
    assert found.id == entry.id.replace("@", "+mirrored@")
    assert entry_of(found.id).id == found.id
    assert (found.files, found.margin) == (entry.files, entry.margin)
    assert 0 < found.threshold <= entry.threshold
