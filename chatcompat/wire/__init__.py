"""Both APIs on the wire: their structs, server-sent events, ids, and tolerant reading of what services send."""
