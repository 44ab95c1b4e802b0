"""Alembic's steps from one schema to the next, oldest first; never edited once released."""
