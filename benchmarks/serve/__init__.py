"""The cost of an exchange over sockets: chatcompat in process, and two gateways."""
