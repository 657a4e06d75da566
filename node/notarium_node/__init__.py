"""One institution's Notarium server: disk, sockets, clocks, HTTP API, explorer, operator CLI."""
