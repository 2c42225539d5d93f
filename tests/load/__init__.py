"""What the API stands: ``make load`` for all of it, a short form in the suite."""
