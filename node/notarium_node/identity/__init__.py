"""Who this node is: its keys, its TLS certificate, and what its key may have signed."""
