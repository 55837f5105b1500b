"""What wakes the use cases: timers and a thread pool here; nothing in it decides anything."""
