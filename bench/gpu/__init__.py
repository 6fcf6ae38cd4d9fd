"""The GPU protocol: one command that proves, trains and times, and writes one JSON file."""
