"""Wire formats of both APIs: structs, server-sent events, ids, and a tolerant reader of replies."""
