"""What joins a Jira account to a person: its e-mail address, or a property of the user."""

from connectors.jira.client import JiraClient
from connectors.jira.settings import PeopleBy, PeopleSettings
from connectors.jira.values import mapping, text_of
from engine.domain.refs import Account


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
        """Return the join key of an account of this site, read afresh.

        "" where it has none, is inactive, or Cloud hides its e-mail address by the user's own
        privacy setting: then nobody is known behind it.

        Raises:
            RecordNotFoundError: The account is gone.
        """
        by = "accountId" if self._client.is_cloud else "key"
        bean = mapping(self._client.get("user", {by: account.id}), "user")
        return "" if bean.get("active") is False else self._key(account, bean, by)

    def _key(self, account: Account, bean: object, by: str) -> str:
        match self._settings.by:
            case PeopleBy.EMAIL:
                return text_of(mapping(bean, "user").get("emailAddress"))
            case PeopleBy.PROPERTY:
                param = by if self._client.is_cloud else "userKey"
                path = f"user/properties/{self._settings.property}"
                found = self._client.find(path, {param: account.id})
                return "" if found is None else text_of(mapping(found, "property").get("value"))
