"""How the time of a step grows with its size, and what it is spent on."""
