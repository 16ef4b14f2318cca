"""How the cost of a request, a reply and a stream grows with what a client or a model can make long, deep or many."""
