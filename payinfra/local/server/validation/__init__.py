"""What AWS refuses: requests that break their operation's model, and those that its documentation rules out."""
