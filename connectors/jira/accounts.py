"""What joins a Jira account to a person: its e-mail address, or a property of the user."""

from connectors.jira.client import JiraClient
from connectors.jira.settings import PeopleBy, PeopleSettings
from connectors.jira.values import mapping, text_of
from engine.domain.refs import Account
from engine.errors import PersonUnknownError, RecordNotFoundError


class JiraAccountKeys:
    """Reads the join key of accounts of one site, afresh."""

    def __init__(self, client: JiraClient, settings: PeopleSettings) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._settings = settings

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        return self._client.name

    def account_key(self, account: Account) -> str:
        """Return the join key of an account of this site.

        Raises:
            PersonUnknownError: The account is not there, inactive, or shows no key (Cloud hides
                e-mail addresses by the user's own privacy setting).
        """
        by = "accountId" if self._client.is_cloud else "key"
        try:
            bean = mapping(self._client.get("user", {by: account.id}), "user")
            key = self._key(account, bean, by)
        except RecordNotFoundError:
            raise PersonUnknownError(f"{account.name}: no such account or property") from None
        if bean.get("active") is False:
            raise PersonUnknownError(f"{account.name}: the account is not active")
        if not key:
            raise PersonUnknownError(f"{account.name}: the account shows no {self._settings.by}")
        return key

    def _key(self, account: Account, bean: object, by: str) -> str:
        match self._settings.by:
            case PeopleBy.EMAIL:
                return text_of(mapping(bean, "user").get("emailAddress"))
            case PeopleBy.PROPERTY:
                param = by if self._client.is_cloud else "userKey"
                path = f"user/properties/{self._settings.property}"
                found = mapping(self._client.get(path, {param: account.id}), "property")
                return text_of(found.get("value"))
