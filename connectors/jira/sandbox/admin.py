"""What POST /seed of the admin port does: limits, index lag, issues, moves, bulk data."""

from collections.abc import Mapping

from connectors.jira.sandbox.limits import Throttle
from connectors.jira.sandbox.site import Site


class Seeding:
    """Carries out a seed document.

    Keys: `index_lag_seconds`, `bursts` (Cloud), `bucket` (Data Center, requests per second).
    """

    def __init__(self, site: Site, throttle: Throttle) -> None:
        self._site = site
        self._throttle = throttle

    def __call__(self, document: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out a document and return what was done."""
        unknown = set(document) - {"index_lag_seconds", "bursts", "bucket"}
        if unknown:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        if "index_lag_seconds" in document:
            self._site.lag = int(float(str(document["index_lag_seconds"])) * 1000)
        if "bursts" in document:
            self._throttle.bursts = document["bursts"] is True
        if "bucket" in document:
            self._throttle.bucket = int(str(document["bucket"]))
        return dict(document)
