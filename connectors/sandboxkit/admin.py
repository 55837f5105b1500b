"""The admin API of a sandbox, on a port of its own: /faults /clock /seed /log.

It is for tests and demonstrations: loopback only, no authentication, no vendor has it.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard, FaultRuleError
from connectors.sandboxkit.log import RequestLog

Seeder = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Carries out POST /seed: takes the decoded body, returns what was seeded.

It raises ValueError for a body it cannot read."""


class AdminApi:
    """Routes over one sandbox's clock, faults, log and seeder.

    - `POST /faults` one rule (see `FaultRule`) -> 201 with its id; `GET /faults`;
      `DELETE /faults` all, `DELETE /faults/{id}` one (404 where it is not).
    - `GET /clock`; `POST /clock` with any of `offset_seconds`, `now` (ISO 8601 with zone),
      `advance_seconds`, `frozen` (true or false), applied in this order.
    - `POST /seed` handed to the vendor's seeder.
    - `GET /log?user=&method=&since=`; `DELETE /log`.
    A body that cannot be read is answered with 400 and `{"error": why}`.
    """

    def __init__(
        self, *, clock: SandboxClock, faults: FaultBoard, log: RequestLog, seeder: Seeder
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._log = log
        self._seeder = seeder

    def app(self, extra: list[Route] | None = None) -> Starlette:
        """Return the application, with a vendor's `extra` routes where it has some."""
        return Starlette(
            routes=[
                Route("/faults", self._faults_many, methods=["GET", "POST", "DELETE"]),
                Route("/faults/{number:int}", self._faults_one, methods=["DELETE"]),
                Route("/clock", self._clock_route, methods=["GET", "POST"]),
                Route("/seed", self._seed, methods=["POST"]),
                Route("/log", self._log_route, methods=["GET", "DELETE"]),
                *(extra or []),
            ]
        )

    async def _faults_many(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                rule = self._faults.add(await _body(request))
            except ValueError as error:  # FaultRuleError and what is no JSON
                return _refused(error)
            return JSONResponse({"id": rule.id}, status_code=201)
        if request.method == "DELETE":
            return JSONResponse({"removed": self._faults.remove()})
        return JSONResponse({"faults": self._faults.listing()})

    async def _faults_one(self, request: Request) -> Response:
        if not self._faults.remove(int(request.path_params["number"])):
            return JSONResponse({"error": "no such fault"}, status_code=404)
        return Response(status_code=204)

    async def _clock_route(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self._set_clock(await _body(request))
            except ValueError as error:
                return _refused(error)
        return JSONResponse(
            {
                "now": self._clock.now().isoformat(),
                "offset_seconds": self._clock.offset.total_seconds(),
                "frozen": self._clock.frozen,
            }
        )

    def _set_clock(self, raw: object) -> None:
        if not isinstance(raw, dict):
            raise FaultRuleError("the clock is set by a JSON object")
        unknown = set(raw) - {"offset_seconds", "now", "advance_seconds", "frozen"}
        if unknown:
            raise FaultRuleError(f"unknown keys: {', '.join(sorted(map(str, unknown)))}")
        if "offset_seconds" in raw:
            self._clock.set_offset(_seconds(raw["offset_seconds"]))
        if "now" in raw:
            self._clock.set_now(datetime.fromisoformat(str(raw["now"])))
        if "advance_seconds" in raw:
            self._clock.advance(_seconds(raw["advance_seconds"]))
        if "frozen" in raw:
            if raw["frozen"] is True:
                self._clock.freeze()
            else:
                self._clock.resume()

    async def _seed(self, request: Request) -> Response:
        try:
            raw = await _body(request)
            if not isinstance(raw, dict):
                raise FaultRuleError("a seed is a JSON object")
            return JSONResponse(dict(self._seeder({str(key): raw[key] for key in raw})))
        except ValueError as error:
            return _refused(error)

    async def _log_route(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._log.clear()
            return Response(status_code=204)
        wanted = request.query_params
        try:
            since = int(wanted.get("since", "0"))
        except ValueError as error:
            return _refused(error)
        entries = self._log.entries(
            user=wanted.get("user"), method=wanted.get("method"), since=since
        )
        return JSONResponse({"requests": [entry.as_json() for entry in entries]})


async def _body(request: Request) -> object:
    decoded: object = json.loads(await request.body() or b"{}")
    return decoded


def _seconds(value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaultRuleError("seconds are a number")
    return timedelta(seconds=value)


def _refused(error: ValueError) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)
