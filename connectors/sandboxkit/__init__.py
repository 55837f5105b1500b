"""What the sandboxes of all vendors share: clock, faults, request log, server, admin API, people.

Nothing here knows a vendor, and nothing here is used by a connector.
"""
