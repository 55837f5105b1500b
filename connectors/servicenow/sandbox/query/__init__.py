"""Encoded queries: the parser, the values, and the compiler to SQL."""
