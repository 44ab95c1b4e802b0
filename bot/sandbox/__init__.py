"""Small stand-ins for the outside systems, over their real protocols; nothing of our clients in here."""
