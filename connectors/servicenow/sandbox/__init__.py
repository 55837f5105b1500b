"""The ServiceNow sandbox: the vendor's REST APIs over real HTTP, on SQLite, with a clock of its own.

It shares no code with the connector, so that a misreading in one cannot hide in the other.
"""
