"""The node's HTTP API (aiohttp), described by OpenAPI 3.1 at /openapi.json."""
