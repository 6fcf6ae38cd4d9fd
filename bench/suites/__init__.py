"""What ``test_speed.py``, ``test_accuracy.py`` and ``test_emissions.py`` have in common."""
