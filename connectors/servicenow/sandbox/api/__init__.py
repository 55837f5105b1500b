"""The APIs of the sandbox, one module each."""
