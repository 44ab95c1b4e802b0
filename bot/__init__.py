"""The business and the outside systems; nothing in here answers Slack: that is `handlers`."""
