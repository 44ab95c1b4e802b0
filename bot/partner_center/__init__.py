"""Microsoft's Partner Center API, over the wire.

What must not be in here: a rule of the business, a word for a reader, anything of Slack or of the database.
No exception of `httpx` leaves this room; whatever goes wrong is one of `bot.domain.errors`.
"""
