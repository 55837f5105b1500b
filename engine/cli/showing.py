"""What a person reads of `show` and `status`: the documents of `--json` as sentences."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

_WIDTH = 14


def show_lines(document: Mapping[str, Any]) -> list[str]:
    """Return everything known of one ticket, for reading."""
    lines = _ticket(document)
    for title, part, tell in (
        ("Understood", document["classification"], _understood),
        ("Decided", document["decision"], _decided),
        ("Change", document["change"], _change),
    ):
        if part is not None:
            lines += ["", title, *tell(part)]
    if document["effects"]:
        lines += ["", "Effects", *(line for one in document["effects"] for line in _effect(one))]
    return [*lines, "", "Audit", *(f"  {_audit(row)}" for row in document["audit"])]


def status_lines(document: Mapping[str, Any]) -> list[str]:
    """Return how the daemon stands, for reading."""
    lines = ["Sources"]
    lines += [_source(one) for one in document["sources"]] or ["  none was polled yet"]
    oldest = document["oldest"]
    lines += ["", "Tickets by stage"]
    lines += [
        f"  {stage:{_WIDTH}} {count:>6}" + (f"  oldest {oldest[stage]}" if stage in oldest else "")
        for stage, count in document["stages"].items()
        if count
    ] or ["  none"]
    lines += ["", "Effects"]
    lines += [
        f"  {phase:{_WIDTH}} {count:>6}" for phase, count in document["effects"].items() if count
    ] or ["  none"]
    lines += ["", "Paused"]
    return lines + ([_pause(one) for one in document["pauses"]] or ["  nothing"])


def _pairs(pairs: Iterable[tuple[str, object]]) -> list[str]:
    return [f"  {name:{_WIDTH}} {value}" for name, value in pairs if value not in (None, "", [])]


def _ticket(document: Mapping[str, Any]) -> list[str]:
    ticket = document["ticket"]
    lines = [f"{ticket['key']} at {ticket['system']}"]
    lines += _pairs(
        (
            ("asks", f'"{ticket["short_description"]}"' if "short_description" in ticket else ""),
            ("requester", _name(ticket.get("requester"))),
            ("subject", _name(ticket.get("subject"))),
            ("record", " ".join(str(ticket.get(name, "")) for name in ("kind", "state")).strip()),
            ("url", ticket.get("url")),
        )
    )
    if document["stage"] is None:
        return [*lines, *_pairs([("stage", "never handled")])]
    return lines + _pairs(
        (
            ("stage", f"{document['stage']} (attempt {document['attempt']})"),
            ("because", document["reason"]),
            ("trouble", document["trouble"]),
            ("again at", document["wake_at"]),
        )
    )


def _name(account: Mapping[str, Any] | None) -> str:
    return f"{account['name']} ({account['id']})" if account else ""


def _understood(found: Mapping[str, Any]) -> list[str]:
    lines = _pairs(
        (
            ("action", found["intent"] or "none"),
            ("nearest", found["candidate"] if found["candidate"] != found["intent"] else ""),
            ("confidence", f"{found['confidence']:.3f} by {found['model']}"),
            ("from", ", ".join(f'"{words}"' for words in found["evidence"])),
            ("abstained", found["abstained"]),
        )
    )
    guesses = {**found["parameters"], **found["fields"]}
    return lines + _pairs(
        (name, f"{guess['value']} ({guess['confidence']:.3f})") for name, guess in guesses.items()
    )


def _decided(found: Mapping[str, Any]) -> list[str]:
    return [
        *_pairs((("tier", f"{found['tier']}, gate {found['gate']}, phase {found['phase']}"),)),
        *(f"  because        {reason}" for reason in found["reasons"]),
        *_pairs((("handed over", found["hand_over"]), ("tier map", found["tier_map_digest"]))),
    ]


def _change(found: Mapping[str, Any]) -> list[str]:
    window = found["window"]
    return _pairs(
        (
            ("number", f"{found['number']} at {found['system']}"),
            ("url", found["url"]),
            ("stood", _words(found["state"], found["approval"])),
            ("approved by", ", ".join(_approver(one) for one in found["approvers"])),
            ("window", f"{window['earliest']} to {window['latest']}" if window else ""),
            ("expires", found["expires_at"]),
            ("plan", found["plan_digest"]),
        )
    )


def _words(*names: str | None) -> str:
    return ", ".join(name.replace("_", " ") for name in names if name)


def _approver(found: Mapping[str, Any]) -> str:
    at = f" at {found['decided_at']}" if found.get("decided_at") else ""
    other = found.get("set_by")
    return f"{found['id']}{at}" + (f", set by {other}" if other not in (None, found["id"]) else "")


def _effect(found: Mapping[str, Any]) -> list[str]:
    verified = {True: ", verified", False: ", not verified", None: ""}[found["verified"]]
    at = f"{found['started_at'] or ''} to {found['finished_at'] or '…'}"
    evidence = cast("Mapping[str, object]", found["evidence"])
    return [
        f"  {found['kind']} {found['action']}: {found['phase']}{verified}  {at}",
        *(f"    {name}: {seen}" for name, seen in evidence.items() if not name.startswith("_")),
    ]


def _audit(row: Mapping[str, Any]) -> str:
    body = row["body"]
    move = f"{body['from']} -> {body['to']}" if "from" in body and "to" in body else row["event"]
    return f"{row['number']:>3}  {row['at']}  {move:28}  {body.get('why', '')}  ({row['actor']})"


def _source(found: Mapping[str, Any]) -> str:
    polled = f"polled {found['lag_seconds']} s ago" if found["last_good_at"] else "no good poll yet"
    hidden = f", {found['hidden']} hidden by rights" if found["hidden"] else ""
    hidden += f", {found['unreadable']} UNREADABLE" if found["unreadable"] else ""
    failing = (
        f"  FAILING ({found['errors_in_row']} in a row): {found['last_error']}"
        if found["errors_in_row"]
        else ""
    )
    return f"  {found['source']:28} {polled}, {found['seen']} seen{hidden}{failing}"


def _pause(found: Mapping[str, Any]) -> str:
    what = found["action"] or found["system"] or "everything"
    reason = f": {found['reason']}" if found["reason"] else ""
    return f"  {what}  by {found['by']} at {found['at']}{reason}"
