"""Which host reads which camera: one lease per camera, in Redis."""

from __future__ import annotations

import redis

from facetrail.store import Keys

#: A lease not renewed for so long is free: its host is gone. With the time until another asks,
#: and that of a process to start, a dead host's cameras are read again within ten seconds.
LEASE_S = 6.0
RENEW_S = 1.5

_TAKE = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_FREE = """
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
"""


class Leases:
    """The leases of one ingest process. owner: a name no other process has."""

    def __init__(
        self, client: redis.Redis, keys: Keys, owner: str, *, lease_s: float = LEASE_S
    ) -> None:
        self._keys = keys
        self._owner = owner
        self._lease_ms = round(lease_s * 1000)
        self._take = client.register_script(_TAKE)
        self._free = client.register_script(_FREE)

    def take(self, camera: str) -> bool:
        """Takes or renews the lease; False if another process holds it."""
        keys, args = [self._keys.lease(camera)], [self._owner, self._lease_ms]
        return bool(self._take(keys=keys, args=args))

    def free(self, camera: str) -> None:
        """Gives the lease back, if it is ours."""
        self._free(keys=[self._keys.lease(camera)], args=[self._owner])
