"""Games: the protocol, their derivatives, sets, and the games themselves."""
