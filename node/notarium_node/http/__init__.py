"""The HTTP server under the API and the peer socket, hardened against strangers."""
