"""What `import facetrail` offers to other programs."""

from __future__ import annotations

import facetrail


def test_the_surface_is_this_and_no_more() -> None:
    assert facetrail.__all__ == ["MatchEvent", "snapshots", "subscribe"]
    for name in facetrail.__all__:
        assert getattr(facetrail, name).__doc__
