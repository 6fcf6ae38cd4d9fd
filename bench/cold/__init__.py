"""Whole fresh processes: import, load, train, predict, exit; what a script's user waits for."""
