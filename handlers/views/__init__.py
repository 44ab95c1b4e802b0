"""Data in, blocks out. No service, no store, no client: a view can be drawn from a test's own facts."""
