"""Tiergate's engine: the domain, its ports, the use cases and what wakes them."""
