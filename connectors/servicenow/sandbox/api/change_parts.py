"""Models, templates, next states and answers of the Change Management API."""

from collections.abc import Mapping

from connectors.servicenow.sandbox.api.change_view import ChangeView, Found
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.rules import changes
from connectors.servicenow.sandbox.seed_ids import stable_id
from connectors.servicenow.sandbox.store import Row


class ChangeParts:
    """Handlers of the paths behind /change/{id}."""

    def __init__(self, instance: Instance, view: ChangeView) -> None:
        self._records = instance.records
        self._view = view

    # --- models and templates

    def models(self, call: Call, _found: Found) -> Reply:
        """GET /model."""
        return self._view.listed(call, "chg_model", "active=true")

    def model(self, call: Call, found: Found) -> Reply:
        """GET /model/{id}."""
        return self._named(call, "chg_model", found["id"], "Change Model")

    def templates(self, call: Call, _found: Found) -> Reply:
        """GET /standard/template."""
        base = "active=true^retired=false"
        return self._view.listed(call, "std_change_record_producer", base)

    def template(self, call: Call, found: Found) -> Reply:
        """GET /standard/template/{id}, by template or by version."""
        number = found["id"]
        version = self._records.read("std_change_producer_version", number)
        number = version["std_change_producer"] if version else number
        return self._named(call, "std_change_record_producer", number, "Standard Change Template")

    def _named(self, call: Call, table: str, number: str, what: str) -> Reply:
        row = self._records.read(table, number)
        if row is None:
            raise ApiError(404, f"{what} record not found", "")
        return json_reply({"result": self._view.typed(call, table, row)})

    # --- states and answers

    def next_states(self, _call: Call, found: Found) -> Reply:
        """GET /{id}/nextstates."""
        row = self._view.change(found)
        moves = changes.MOVES.get(row["type"], changes.MOVES["normal"]).get(row["state"], ())
        labels = self._records.table("change_request").columns["state"].choices
        transitions: list[object] = []
        open_moves: list[str] = []
        for target in moves:
            unmet = changes.unmet(self._records, row, row["state"], target)
            if not unmet:
                open_moves.append(target)
            transitions.append([self._transition(row, target, labels, unmet)])
        states = [*open_moves, row["state"]]
        return json_reply(
            {
                "result": {
                    "available_states": states,
                    "state_transitions": transitions,
                    "state_label": {state: labels[state] for state in (*moves, row["state"])},
                }
            }
        )

    def _transition(
        self, row: Row, target: str, labels: Mapping[str, str], unmet: list[str]
    ) -> dict[str, object]:
        name = f"{labels[row['state']]} to {labels[target]}"
        names = unmet or ["Not On hold"]
        return {
            "sys_id": stable_id("sttrm_state_transition", f"{row['type']}{name}"),
            "display_value": name,
            "from_state": row["state"],
            "to_state": target,
            "transition_available": not unmet,
            "automatic_transition": target in (changes.AUTHORIZE, changes.SCHEDULED)
            and row["type"] != "standard",
            "conditions": [
                {
                    "passed": not unmet,
                    "condition": {
                        "name": one,
                        "description": one,
                        "sys_id": stable_id("sttrm_transition_condition", name + one),
                    },
                }
                for one in names
            ],
        }

    def answer(self, call: Call, found: Found) -> Reply:
        """PATCH /{id}/approvals: answer what is awaited of the caller."""
        row = self._view.change(found)
        body = object_body(call)
        state = text_of(body.get("state")) or call.parameter("state")
        if state not in ("approved", "rejected"):
            raise ApiError(400, "Invalid state value", "state must be approved or rejected")
        if state == "rejected" and not text_of(body.get("comments")).strip():
            raise ApiError(400, "Comments are required to reject", "comments must not be empty")
        mine = self._records.find(
            "sysapproval_approver",
            sysapproval=row["sys_id"],
            approver=call.actor.sys_id,
            state="requested",
        )
        if not mine:
            raise ApiError(400, "No pending approval for the current user on this change", "")
        values = {"state": state, "comments": text_of(body.get("comments"))}
        for one in mine:
            self._records.update("sysapproval_approver", one["sys_id"], values, call.actor)
        fresh = self._records.read("change_request", row["sys_id"]) or row
        return json_reply({"result": self._view.typed(call, "change_request", fresh)})
