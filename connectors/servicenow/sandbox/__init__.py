"""The ServiceNow sandbox: the vendor's REST APIs over real HTTP, on SQLite, with its own clock.

It shares no code with the connector, so that a misreading in one cannot hide in the other.
"""
