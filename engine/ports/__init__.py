"""What the engine needs from outside, one port a module: sentences about behaviour.

The contract suite (tests/contract) is their definition; the shipped fakes (engine/testing) pass it
too.
Every method may raise the errors of `engine.errors` that its adapter can meet: TransientError (and
nothing
was decided), OutcomeUnknownError after a write without an answer, PermanentError. No library's own
error
ever comes through a port.
"""
