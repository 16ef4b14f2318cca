"""Cases that translators get wrong, and the command that runs them for chatcompat and two peers."""
