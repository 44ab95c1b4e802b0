"""What somebody who means harm sends us, and what breaks around us: nothing is let in, lost or done twice."""
