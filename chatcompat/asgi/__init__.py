"""The ASGI side: the middleware, and one exchange between a client and the messages app."""
