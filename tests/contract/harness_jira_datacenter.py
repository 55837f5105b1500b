"""The Jira connector against its sandbox, over sockets: the Data Center flavour."""

from contextlib import AbstractContextManager

from tests.contract.harness import Harness
from tests.contract.harness_jira import started


def harness() -> AbstractContextManager[Harness]:
    """The Data Center flavour."""
    return started("datacenter")
