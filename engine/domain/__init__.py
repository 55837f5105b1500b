"""What Tiergate talks about.

Frozen dataclasses and enums, standard library only, no I/O and no clock.
"""
