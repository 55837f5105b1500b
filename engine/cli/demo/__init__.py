"""`tiergate demo`: everything on loopback, with people of its own in another process."""
