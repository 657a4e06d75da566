"""One institution's Notarium server: disk, sockets, clocks, HTTP API, operator CLI."""
