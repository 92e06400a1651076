"""What AWS refuses: requests that break their operation's model, or that its documentation rules out."""
