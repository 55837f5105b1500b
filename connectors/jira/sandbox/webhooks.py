"""Webhooks: registered by applications on Cloud, by administrators on both."""

from connectors.jira.sandbox.site import Routes

routes = Routes()
old_routes = Routes(prefix="/rest/webhooks/1.0")
