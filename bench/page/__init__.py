"""docs/performance.md and its charts, written from the results that are committed."""
