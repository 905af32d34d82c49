"""How good a network is: metrics, the protocol they are taken by, and the report."""
