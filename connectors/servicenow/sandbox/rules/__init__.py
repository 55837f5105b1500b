"""What an instance does by itself when records change: business rules, approvals, flows."""
