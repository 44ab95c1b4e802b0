"""Every view against what it looked like when somebody last looked: golden/*.json, to paste into Block Kit Builder."""
