"""The musicianship: plain classes that are told the time, given messages, and return messages."""
