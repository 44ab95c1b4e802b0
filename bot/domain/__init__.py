"""The rules. No clock, no I/O, no third party: everything a rule needs is passed in."""
