"""How good a network is: metrics, the evaluation protocol, reports."""
