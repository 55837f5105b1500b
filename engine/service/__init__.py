"""The use cases, in the order a ticket meets them; standard library, domain and ports only."""
