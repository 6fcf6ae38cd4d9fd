"""Benchmarks and protocols; run from the repository root, never installed."""
