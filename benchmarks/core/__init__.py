"""The cost of a translation in process: chatcompat, its peers and the floors."""
