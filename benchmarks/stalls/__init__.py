"""How late other requests are answered while the worst input is posted."""
