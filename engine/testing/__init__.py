"""Shipped fakes of every port: in memory, with the ports' own semantics, for tests and plug-ins."""
