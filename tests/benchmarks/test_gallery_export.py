"""The figures of export and import come from the commands themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis

from benchmarks.gallery_export import measure


@pytest.mark.slow
def test_both_kinds_of_file_are_measured(
    client: redis.Redis, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(client, redis_url, 3, tmp_path)
    plain, sealed = capsys.readouterr().out.splitlines()
    for line in (plain, sealed):
        assert re.search(
            r"3 people with 5 photos.*: 0\.\d MB; export .* MB of memory; import", line
        )
    assert "--encrypt" in sealed and "--encrypt" not in plain
    assert list(tmp_path.iterdir()) == []
