"""POST /oauth_token.do: password, refresh_token and client_credentials grants."""

from urllib.parse import parse_qsl

from connectors.servicenow.sandbox.actors import password_fits
from connectors.servicenow.sandbox.http import Call, Reply, basic_pair, json_reply
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.store import Row

_FORM = "application/x-www-form-urlencoded"
_CREDENTIALS_PROPERTY = "glide.oauth.inbound.client.credential.grant_type.enabled"


def _denied() -> Reply:
    """Every failure reads the same: wrong secret, wrong user, grant that is switched off."""
    return json_reply({"error": "server_error", "error_description": "access_denied"}, 401)


class OAuthApi:
    """Issues tokens to registered applications."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def handle(self, call: Call) -> Reply:
        """Answer one token request."""
        if call.method != "POST" or _FORM not in call.headers.get("content-type", ""):
            return _denied()
        form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
        # A client may show its credentials in the form or as Basic authentication.
        pair = basic_pair(call.headers)
        if pair is not None and "client_secret" not in form:
            form["client_id"], form["client_secret"] = pair
        client = self._client(form)
        if client is None:
            return _denied()
        match form.get("grant_type", ""):
            case "password":
                return self._password(form, client)
            case "refresh_token":
                return self._refresh(form, client)
            case "client_credentials":
                return self._credentials(client)
            case _:
                return _denied()

    def _client(self, form: dict[str, str]) -> Row | None:
        found = self._instance.records.find(
            "oauth_entity", client_id=form.get("client_id", ""), active="true"
        )
        fits = found and password_fits(form.get("client_secret", ""), found[0]["client_secret"])
        return found[0] if fits else None

    def _password(self, form: dict[str, str], client: Row) -> Reply:
        actor = self._instance.accounts.by_password(
            form.get("username", ""), form.get("password", "")
        )
        return _denied() if actor is None else self._tokens(actor.user_name, client, refresh=True)

    def _refresh(self, form: dict[str, str], client: Row) -> Reply:
        token = self._instance.tokens.refreshed(form.get("refresh_token", ""), client["client_id"])
        return _denied() if token is None else self._tokens(token.user_name, client, refresh=True)

    def _credentials(self, client: Row) -> Reply:
        actor = self._instance.accounts.by_id(client["user"]) if client["user"] else None
        if actor is None or self._instance.property(_CREDENTIALS_PROPERTY) != "true":
            return _denied()
        return self._tokens(actor.user_name, client, refresh=False)

    def _tokens(self, user_name: str, client: Row, *, refresh: bool) -> Reply:
        tokens, name = self._instance.tokens, client["client_id"]
        access = tokens.access(user_name, name, int(client["access_token_lifespan"]))
        left = int((access.expires - self._instance.clock.now()).total_seconds())
        answer: dict[str, object] = {"access_token": access.value}
        if refresh:
            kept = tokens.refresh(user_name, name, int(client["refresh_token_lifespan"]))
            answer["refresh_token"] = kept.value
        answer |= {"scope": "useraccount", "token_type": "Bearer", "expires_in": left}
        return json_reply(answer)
