"""Workers of the Change Management API: what a change asks for is done behind its answer."""

from collections.abc import Mapping, Sequence

import orjson

from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply
from connectors.servicenow.sandbox.records import Records
from connectors.servicenow.sandbox.seed_ids import stable_id

_WAITING = {"value": 1, "display_value": "Waiting"}
_COMPLETE = {"value": 3, "display_value": "Complete"}
_MOST = 1000


class Workers:
    """Keeps the last thousand workers with what they found."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, dict[str, object]] = {}
        self._count = 0

    def started(
        self,
        call: Call,
        kind: str,
        request: Mapping[str, object],
        *,
        messages: Mapping[str, Sequence[str]] | None = None,
        payload: Mapping[str, object] | None = None,
        status: int = 202,
    ) -> Reply:
        """Answer that a worker waits, and keep what it will have found when it is asked after."""
        self._count += 1
        name = stable_id("worker", f"{kind}{self._records.now()}{self._count}")
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        shown: dict[str, object] = {
            "worker": {
                "sysId": name,
                "link": f"{call.base}/api/sn_chg_rest/change/worker/{name}",
            },
            "request": orjson.dumps(request).decode(),
            "state": _WAITING,
            "type": kind,
            "messages": _messages({}),
        }
        done = shown | {"state": _COMPLETE, "messages": _messages(messages or {})}
        self._known[name] = done | ({} if payload is None else {"payload": payload})
        return json_reply({"result": shown}, status)

    def answer(self, _call: Call, found: Mapping[str, str]) -> Reply:
        """GET /worker/{id}.

        Raises:
            ApiError: 404 for a worker that is not known, or not any more.
        """
        known = self._known.get(found["id"])
        if known is None:
            raise ApiError(404, "Worker record not found", "")
        return json_reply({"result": known})


def _messages(given: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    names = ("errorMessages", "warningMessages", "infoMessages")
    return {name: list(given.get(name, ())) for name in names}
