"""Which host reads which camera: one lease per camera, in Redis."""

from __future__ import annotations

import redis

from facetrail.store import Keys

#: A lease not renewed for so long is free: its host is gone.
LEASE_S = 10
RENEW_S = 2.0

_TAKE = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
_FREE = """
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
"""


class Leases:
    """The leases of one ingest process. owner: a name no other process has."""

    def __init__(self, client: redis.Redis, keys: Keys, owner: str) -> None:
        self._keys = keys
        self._owner = owner
        self._take = client.register_script(_TAKE)
        self._free = client.register_script(_FREE)

    def take(self, camera: str) -> bool:
        """Takes or renews the lease; False if another process holds it."""
        return bool(self._take(keys=[self._keys.lease(camera)], args=[self._owner, LEASE_S]))

    def free(self, camera: str) -> None:
        self._free(keys=[self._keys.lease(camera)], args=[self._owner])
