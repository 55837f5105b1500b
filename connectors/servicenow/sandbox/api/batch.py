"""The Batch API: POST /api/now/v1/batch, requests in sequence under one answer, not atomic."""

import base64
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body

_TOTAL_SECONDS = 30.0
_MOST_BODY = 5 * 1024 * 1024


class BatchApi:
    """Carries out the requests of a batch through the router, as the caller of the batch."""

    def __init__(self, dispatch: Callable[[Call], Reply]) -> None:
        self._dispatch = dispatch

    def handle(self, call: Call, version: str) -> Reply:
        """Answer a batch.

        Raises:
            ApiError: no version in the path, or no list of requests in the body.
        """
        if not version:
            raise ApiError(
                400, f"Requested URI does not represent any resource: {call.path[5:]}", None
            )
        if call.method != "POST":
            raise ApiError(405, "Method not supported", None)
        body = object_body(call)
        requests = body.get("rest_requests")
        if not isinstance(requests, list) or not all(isinstance(one, dict) for one in requests):
            raise ApiError(400, "Invalid batch request", "rest_requests must be a list of objects")
        started = time.monotonic()
        serviced: list[dict[str, object]] = []
        left: list[str] = []
        for one in requests:
            number = str(one.get("id", ""))
            if time.monotonic() - started > _TOTAL_SECONDS:
                left.append(number)
            else:
                serviced.append(self._item(call, number, one))
        return json_reply(
            {
                "batch_request_id": str(body.get("batch_request_id", "")),
                "serviced_requests": serviced,
                "unserviced_requests": left,
            }
        )

    def _item(self, call: Call, number: str, item: dict[str, object]) -> dict[str, object]:
        started = time.monotonic()
        try:
            inner = _inner(call, item)
            reply = self._dispatch(inner)
        except ApiError as error:
            reply = error.reply()
        headers = {"Content-Type": reply.content_type, **reply.headers}
        shown: dict[str, object] = {
            "id": number,
            "body": base64.b64encode(reply.body).decode(),
            "status_code": reply.status,
            "status_text": HTTPStatus(reply.status).phrase,
            "headers": []
            if item.get("exclude_response_headers") is True
            else [{"name": name, "value": value} for name, value in headers.items()],
            "execution_time": int((time.monotonic() - started) * 1000),
            "redirect_url": None,
        }
        return shown


def _inner(call: Call, item: dict[str, object]) -> Call:
    address = urlsplit(str(item.get("url", "")))
    if not address.path.startswith("/"):
        raise ApiError(400, "Invalid batch request", "url must begin with /")
    listed = item.get("headers")
    headers = {"accept": "application/json", "content-type": "application/json"}
    for header in listed if isinstance(listed, list) else []:
        if isinstance(header, dict):
            headers[str(header.get("name", "")).lower()] = str(header.get("value", ""))
    try:
        body = base64.b64decode(str(item.get("body") or ""), validate=True)
    except ValueError as error:  # binascii.Error, and text that is not ASCII
        raise ApiError(400, "Invalid batch request", "body must be Base64") from error
    if len(body) > _MOST_BODY:
        raise ApiError(400, "Exception while reading request", "Rejected large REST payload")
    return Call(
        method=str(item.get("method", "GET")).upper(),
        path=unquote(address.path),
        parameters=tuple(parse_qsl(address.query, keep_blank_values=True)),
        headers=headers,
        body=body,
        actor=call.actor,
        base=call.base,
        query=address.query,
    )
