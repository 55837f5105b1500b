"""The Jira query language: one parser, one compiler to SQL over the search index."""
