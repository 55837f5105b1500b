"""One file per step; a published step never changes."""
